from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.models.zoo import NETWORKS, build

SMALL = {"architecture": "compact_deeplab", "arguments": {"num_classes": 3, "width": 8, "low_level": 8}}


def test_equal_seeds_give_equal_weights_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = build(SMALL, seed=1), build(SMALL, seed=1), build(SMALL, seed=2)
    assert torch.equal(torch.rand(1), expected)
    weights = [network.state_dict()["classifier.weight"] for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unknown_names_are_listed() -> None:
    with pytest.raises(UserError, match=", ".join(sorted(NETWORKS))):
        build({"architecture": "deeplab_v9", "arguments": {}})
    with pytest.raises(UserError, match=r"widht.*width"):
        build({"architecture": "compact_deeplab", "arguments": {"num_classes": 3, "widht": 8}})
    with pytest.raises(UserError, match="num_classes"):
        build({"architecture": "compact_deeplab", "arguments": {}})
