"""Names of the released HRNet checkpoints: a tiny network always, the full lists where they are at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.models.multi_scale_attention import MultiScaleAttention
from seglift.models.published import expected_shapes, from_tensors
from seglift.models.published_hrnet import HRNET_LAYOUTS
from seglift.models.zoo import build

LISTS = {"HRNet": "nvidia_hrnet_ocr.txt", "HRNet_Mscale": "nvidia_hrnet_ocr_mscale.txt"}
TINY: dict[str, Any] = {"widths": (4, 8, 12, 16), "modules": (1, 1, 1), "blocks": 1, "stem": 4, "width": 20, "keys": 6}


def tensors(layout: str, num_classes: int = 19) -> dict[str, Tensor]:
    """A checkpoint of the right names and shapes that takes no memory."""
    shapes = expected_shapes(layout, num_classes)
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape, _ in lines}


def test_tensors_of_a_tiny_network_have_the_released_names() -> None:
    layout = replace(HRNET_LAYOUTS["HRNet_Mscale"], arguments={**TINY, "attention": 5})
    state = build(layout.config(7), seed=0).state_dict()
    published = {layout.published_name(name): tuple(tensor.shape) for name, tensor in state.items()}
    assert len(published) == len(state)
    assert {name.split(".")[0] for name in published} == {"backbone", "ocr", "scale_attn"}
    block = "ocr.ocr_distri_head.object_context_block"
    expected = {
        "backbone.conv2.weight": (4, 4, 3, 3),
        "backbone.layer1.0.downsample.0.weight": (16, 4, 1, 1),
        "backbone.transition1.0.0.weight": (4, 16, 3, 3),
        "backbone.transition1.1.0.0.weight": (8, 16, 3, 3),
        "backbone.transition3.3.0.1.running_var": (16,),
        "backbone.stage4.0.branches.2.0.conv1.weight": (12, 12, 3, 3),
        "backbone.stage4.0.fuse_layers.0.3.0.weight": (4, 16, 1, 1),
        "backbone.stage4.0.fuse_layers.3.0.0.0.weight": (4, 4, 3, 3),
        "backbone.stage4.0.fuse_layers.3.0.2.0.weight": (16, 4, 3, 3),
        "ocr.conv3x3_ocr.0.bias": (20,),
        "ocr.conv3x3_ocr.1.0.running_mean": (20,),
        "ocr.aux_head.0.weight": (40, 40, 1, 1),
        "ocr.aux_head.2.weight": (7, 40, 1, 1),
        f"{block}.f_pixel.0.weight": (6, 20, 1, 1),
        f"{block}.f_pixel.1.0.bias": (6,),
        f"{block}.f_object.2.weight": (6, 6, 1, 1),
        f"{block}.f_object.3.0.weight": (6,),
        f"{block}.f_down.0.weight": (6, 20, 1, 1),
        f"{block}.f_up.1.0.weight": (20,),
        "ocr.ocr_distri_head.conv_bn_dropout.0.weight": (20, 40, 1, 1),
        "ocr.cls_head.weight": (7, 20, 1, 1),
        "scale_attn.conv0.weight": (5, 20, 3, 3),
        "scale_attn.bn1.running_mean": (5,),
        "scale_attn.conv2.weight": (1, 5, 1, 1),
    }
    assert {name: published.get(name) for name in expected} == expected


@pytest.mark.parametrize("layout", LISTS)
def test_names_and_shapes_are_exactly_the_listed_ones(layout: str, seglift_data: Path) -> None:
    assert dict(expected_shapes(layout, 19)) == listed(seglift_data / "reference" / LISTS[layout])


def test_released_checkpoint_loads_whole_and_runs(seglift_data: Path) -> None:
    """Each tensor lands in the network once: its values, all different, are found there again."""
    shapes = listed(seglift_data / "reference" / LISTS["HRNet_Mscale"])
    checkpoint = {
        name: torch.full(shape, 1e-3 + number * 1e-6, dtype=torch.float32 if shape else torch.int64)
        for number, (name, shape) in enumerate(shapes.items())
    }
    model = from_tensors(checkpoint, "released.pth")
    assert (model.layout, model.space, len(model.classes)) == ("HRNet_Mscale", "cityscapes", 19)
    assert isinstance(model.network, MultiScaleAttention)
    assert model.network.scales == (2.0, 1.0, 0.5)
    state = model.network.state_dict()
    found = sorted(float(tensor.flatten()[0]) for tensor in state.values() if tensor.ndim)
    assert found == sorted(float(tensor.flatten()[0]) for tensor in checkpoint.values() if tensor.ndim)
    with torch.no_grad():
        logits = model.network(torch.rand(1, 3, 64, 64))
    assert logits.shape == (1, 19, 64, 64)
    assert torch.isfinite(logits).all()


def test_missing_extra_and_misshapen_tensors_are_named() -> None:
    key = "ocr.ocr_distri_head.object_context_block.f_object.2.weight"
    missing = tensors("HRNet_Mscale")
    del missing[key]
    with pytest.raises(UserError, match=rf"{key} is missing \(1 differences"):
        from_tensors(missing, "x.pth")
    with pytest.raises(UserError, match=r"scale_attn\.conv3\.weight is left over \(1 differences"):
        from_tensors(tensors("HRNet_Mscale") | {"scale_attn.conv3.weight": torch.zeros(1)}, "x.pth")
    with pytest.raises(UserError, match=rf"{key} is 256x128x1x1, expected 256x256x1x1"):
        from_tensors(tensors("HRNet") | {key: torch.zeros(256, 128, 1, 1)}, "x.pth")
    mixed = tensors("HRNet", 19) | {"ocr.aux_head.2.weight": torch.zeros(65, 720, 1, 1)}
    with pytest.raises(UserError, match=r"ocr\.aux_head\.2\.weight is 65x720x1x1"):
        from_tensors(mixed, "x.pth")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("encoder.stem.1.bias", "backbone.bn1.bias"),
        ("encoder.stem.4.bias", "backbone.bn2.bias"),
        ("head.attention.query.0.weight", "ocr.ocr_distri_head.object_context_block.f_pixel.0.weight"),
        ("head.attention.key.0.weight", "ocr.ocr_distri_head.object_context_block.f_object.0.weight"),
        ("head.attention.key.1.bias", "ocr.ocr_distri_head.object_context_block.f_object.1.0.bias"),
        ("head.attention.key.4.bias", "ocr.ocr_distri_head.object_context_block.f_object.3.0.bias"),
        ("head.attention.value.0.weight", "ocr.ocr_distri_head.object_context_block.f_down.0.weight"),
        ("head.project.1.bias", "ocr.conv3x3_ocr.1.0.bias"),
        ("head.fuse.1.bias", "ocr.ocr_distri_head.conv_bn_dropout.1.0.bias"),
    ],
)
def test_tensors_of_equal_shape_are_not_mixed_up(ours: str, theirs: str) -> None:
    assert HRNET_LAYOUTS["HRNet"].published_name(ours) == theirs
    assert HRNET_LAYOUTS["HRNet_Mscale"].published_name(f"network.{ours}") == theirs


def test_layers_of_the_attention_head_are_in_order() -> None:
    names = [HRNET_LAYOUTS["HRNet_Mscale"].published_name(f"attention.{index}.weight") for index in (0, 1, 3, 4, 6)]
    assert names == [f"scale_attn.{layer}.weight" for layer in ("conv0", "bn0", "conv1", "bn1", "conv2")]
