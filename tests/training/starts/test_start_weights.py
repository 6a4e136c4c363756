from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.models.zoo import build
from seglift.training.starts.same_network import check_same_network
from seglift.training.starts.start_weights import start_weights

RELEASED = {"encoder": "legacy_seresnext50_32x4d", "align_corners": True}


def plus(architecture="deeplabv3plus", num_classes=3, **arguments):
    return {"architecture": architecture, "arguments": {"num_classes": num_classes, **arguments}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (plus(num_classes=65), plus()),
        (plus(), plus(align_corners=False, rates=[6, 12, 18])),
        (plus(rates=(6, 12, 18)), plus(rates=[6, 12, 18])),
        (plus("deeplabv3plus_xception71"), plus(encoder="xception71", output_stride=16)),
    ],
)
def test_one_network_can_be_said_in_several_ways(given, wanted):
    check_same_network("x", given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        (plus(**RELEASED), plus(encoder=RELEASED["encoder"]), r"align_corners true \(the recipe: false\)"),
        (plus(encoder="resnet50"), plus(), 'encoder "resnet50"'),
        (plus(output_stride=16), plus(), "output_stride 16"),
        (plus("deeplabv3"), plus(), "a deeplabv3, expected a deeplabv3plus"),
    ],
)
def test_what_differs_is_named_in_one_line(given, wanted, said):
    with pytest.raises(UserError, match=said) as caught:
        check_same_network("x.pth", given, wanted)
    assert str(caught.value).startswith("x.pth is of another network")
    assert "\n" not in str(caught.value)


def test_weights_that_would_fit_by_shape_alone_are_refused(tmp_path):
    """``align_corners`` has no tensor: only the arguments tell."""
    small = {"encoder": "test_resnet", "output_stride": 16, "width": 16, "low_level": 8}
    config, other = plus(**small), plus(**small, align_corners=True)
    network, path, classes = build(config, seed=0), tmp_path / "best.safetensors", ("a", "b", "c")
    save_weights(path, network.state_dict(), segmentation_metadata(config, "toy", classes, None))
    assert start_weights(str(path), network, config, classes).keys() == network.state_dict().keys()
    with pytest.raises(UserError, match="align_corners false"):
        start_weights(str(path), build(other, seed=0), other, classes)
