from __future__ import annotations

import inspect

import pytest
import torch

from seglift.base.errors import UserError
from seglift.models.zoo import KINDS, NETWORKS, build

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


@pytest.mark.parametrize(
    ("architecture", "argument", "value", "expected"),
    [
        ("compact_unet", "widths", 5, "a list of whole numbers above 0"),
        ("compact_unet", "widths", [], "a list of whole numbers above 0"),
        ("compact_unet", "widths", [8, 8.5], "a list of whole numbers above 0"),
        ("compact_unet", "widths", [8, 0], "a list of whole numbers above 0"),
        ("compact_unet", "places", "yes", "true or false"),
        ("deeplabv3plus", "rates", 5, "a list of whole numbers above 0"),
        ("compact_deeplab", "encoder", 5, "a name"),
        ("deeplabv3plus_xception71", "width", "x", "a whole number above 0"),
        ("compact_deeplab", "width", True, "a whole number above 0"),
        ("compact_deeplab", "dropout", None, "a number of at least 0"),
        ("hrnet_w48_ocr_msa", "scales", [1.0, "2"], "a list of numbers"),
        ("compact_deeplab", "num_classes", 0, "a whole number above 0"),
    ],
)
def test_arguments_of_a_wrong_type_are_the_users_error(
    architecture: str, argument: str, value: object, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        build({"architecture": architecture, "arguments": {"num_classes": 3, argument: value}}, seed=0)
    assert str(caught.value).startswith(f"{argument} of network {architecture} is {value!r}, expected {expected}; ")


def test_values_from_which_no_network_can_be_built_are_the_users_error() -> None:
    with pytest.raises(UserError, match=r"network compact_deeplab cannot be built with .*dropout 3"):
        build({"architecture": "compact_deeplab", "arguments": {**SMALL["arguments"], "dropout": 3}})


@pytest.mark.parametrize("name", NETWORKS)
def test_the_type_of_every_argument_and_default_is_known(name: str) -> None:
    for parameter in inspect.signature(NETWORKS[name]).parameters.values():
        _, fits = KINDS[parameter.annotation]
        assert parameter.default is inspect.Parameter.empty or fits(parameter.default)
