"""Weights of semantic networks as the start of panoptic ones."""

from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.models.zoo import build
from seglift.training.starts.start_weights import start_weights

CLASSES = ("road", "car")
WIDTHS = {"widths": [8, 8, 12]}
SMALL = {"encoder": "test_resnet", "width": 16}


def config(architecture, num_classes=2, **arguments):
    return {"architecture": architecture, "arguments": {"num_classes": num_classes, **arguments}}


def saved(folder, given, classes=CLASSES):
    network = build(given, seed=1)
    save_weights(folder / "best.safetensors", network.state_dict(), segmentation_metadata(given, "toy", classes, None))
    return network.state_dict()


def started(folder, wanted, **more):
    network = build(wanted, seed=2)
    return start_weights(str(folder), network, wanted, CLASSES, **more), network.state_dict()


def test_a_compact_network_gains_instance_heads(tmp_path, capsys):
    semantic = saved(tmp_path, config("compact_unet", **WIDTHS))
    tensors, fresh = started(tmp_path, config("compact_panoptic", **WIDTHS))
    assert tensors.keys() == fresh.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, semantic[name] if name in semantic else fresh[name]), name
    heads = {name.split(".")[0] for name in fresh.keys() - semantic.keys()}
    assert heads == {"instance_up", "centre", "offset"}
    assert "has no instance heads" in capsys.readouterr().err


def test_a_panoptic_network_starts_whole(tmp_path, capsys):
    before = saved(tmp_path, config("compact_panoptic", **WIDTHS))
    tensors, _ = started(tmp_path, config("compact_panoptic", **WIDTHS))
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors.items())
    assert capsys.readouterr().err == ""


def test_a_semantic_network_of_the_same_encoder_gives_it(tmp_path, capsys):
    semantic = saved(tmp_path, config("deeplabv3plus", 5, output_stride=16, low_level=8, **SMALL), tuple("abcde"))
    tensors, fresh = started(tmp_path, config("panoptic_deeplab", instance_width=8, **SMALL))
    assert tensors.keys() == fresh.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, (semantic if name.startswith("encoder.") else fresh)[name]), name
    assert "gives its encoder" in capsys.readouterr().err


def test_other_classes_need_a_new_classifier(tmp_path):
    semantic = saved(tmp_path, config("compact_unet", 3, **WIDTHS), ("a", "b", "c"))
    wanted = config("compact_panoptic", **WIDTHS)
    with pytest.raises(UserError, match="new_head"):
        started(tmp_path, wanted)
    tensors, fresh = started(tmp_path, wanted, new_head=True)
    assert torch.equal(tensors["classifier.weight"], fresh["classifier.weight"])
    assert torch.equal(tensors["down.0.0.0.weight"], semantic["down.0.0.0.weight"])


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        (config("compact_unet", **WIDTHS), config("compact_panoptic", widths=[8, 8, 16]), r"widths \[8, 8, 12\]"),
        (config("compact_panoptic", **WIDTHS), config("compact_unet", **WIDTHS), "a compact_panoptic, expected"),
        (config("compact_unet", **WIDTHS), config("panoptic_deeplab", **SMALL), "a compact_unet, expected"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, given, wanted, said):
    saved(tmp_path, given)
    with pytest.raises(UserError, match=said):
        started(tmp_path, wanted)
