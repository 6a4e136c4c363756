from __future__ import annotations

from typing import Any

import pytest
import torch

from seglift.base.errors import UserError
from seglift.models.ocr_networks import hrnet_ocr, ocr
from seglift.models.zoo import build

TINY: dict[str, Any] = {"widths": (4, 8, 8, 8), "modules": (1, 1, 1), "blocks": 1, "stem": 8, "width": 16, "keys": 8}


def test_outputs_are_what_forward_gives_and_the_first_guess() -> None:
    network = build({"architecture": "hrnet_w48_ocr", "arguments": {"num_classes": 5, **TINY}}, seed=0).eval()
    images = torch.rand(2, 3, 50, 70)
    outputs = network.outputs(images)
    assert list(outputs) == ["main", "aux"]
    assert all(logits.shape == (2, 5, 50, 70) for logits in outputs.values())
    assert torch.equal(outputs["main"], network(images))
    assert not torch.allclose(outputs["main"], outputs["aux"])
    assert network.features(images).shape == (2, 16, 13, 18)
    assert network.feature_channels == 16


def test_every_parameter_learns_from_main_and_auxiliary_logits() -> None:
    network = hrnet_ocr(4, **TINY)
    outputs = network.outputs(torch.rand(2, 3, 64, 64))
    (outputs["main"].square().mean() + outputs["aux"].square().mean()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_input_is_normalised_once() -> None:
    network = hrnet_ocr(3, **TINY).eval()
    seen: list[torch.Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 32, 32))
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 32, 32), rtol=0, atol=1e-6)


def test_head_sits_on_any_encoder() -> None:
    network = build(
        {"architecture": "ocr", "arguments": {"num_classes": 3, "encoder": "resnet18", "width": 16}}, seed=0
    )
    network.eval()
    assert network.features(torch.rand(1, 3, 64, 40)).shape == (1, 16, 8, 5)
    assert network(torch.rand(1, 3, 64, 40)).shape == (1, 3, 64, 40)
    with pytest.raises(UserError, match="no_such_net"):
        ocr(3, encoder="no_such_net")


def test_resnext50_is_the_one_of_stride_eight() -> None:
    with torch.device("meta"):
        network = build({"architecture": "ocr_resnext50", "arguments": {"num_classes": 19}})
        assert sum(p.numel() for p in network.get_submodule("encoder").parameters()) == 22_979_904
        assert network.features(torch.rand(1, 3, 64, 128)).shape == (1, 512, 8, 16)
