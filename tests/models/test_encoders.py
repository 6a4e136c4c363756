from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.models.encoders import create_encoder

RESNETS = ["resnet50", "resnext50_32x4d", "seresnext50_32x4d", "legacy_seresnext50_32x4d"]
OTHERS = ["mobilenetv3_small_100", "mobilenetv3_large_100", "xception71", "resnet18", "convnext_tiny"]
OTHERS += ["wide_resnet38", "wide_resnet38_strided", "wide_resnet41"]


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", RESNETS + OTHERS)
def test_maps_have_the_channels_and_strides_they_say(name: str, output_stride: int) -> None:
    with torch.device("meta"):
        encoder = create_encoder(name, output_stride)
        encoder.module.eval()
        maps = encoder.module(torch.zeros(1, 3, 128, 192))
    sizes = [(c, 128 // s, 192 // s) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(each.shape[1:]) for each in maps] == sizes
    assert encoder.strides[-1] == output_stride
    assert encoder.strides[encoder.low] == (2 if name == "wide_resnet38" else 4)


@pytest.mark.parametrize(("output_stride", "expected"), [(8, (2, 4)), (16, (1, 2)), (32, (1, 1))])
@pytest.mark.parametrize("name", RESNETS)
def test_every_block_of_a_resnet_stage_is_dilated(name: str, output_stride: int, expected: tuple[int, int]) -> None:
    with torch.device("meta"):
        module = create_encoder(name, output_stride).module
    for stage, dilation in zip((module.layer3, module.layer4), expected, strict=True):
        middle = [layer for layer in stage.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
        assert len(middle) == len(stage)
        assert {layer.dilation for layer in middle} == {layer.padding for layer in middle} == {(dilation, dilation)}
    before = [m for s in (module.layer1, module.layer2) for m in s.modules() if isinstance(m, nn.Conv2d)]
    assert {layer.dilation for layer in before} == {(1, 1)}


def test_the_released_trunk_pools_without_padding() -> None:
    with torch.device("meta"):
        pools = [
            next(m for m in create_encoder(name, 8).module.modules() if isinstance(m, nn.MaxPool2d))
            for name in ("legacy_seresnext50_32x4d", "seresnext50_32x4d")
        ]
    assert [(pool.padding, pool.ceil_mode) for pool in pools] == [(0, True), (1, False)]


def test_encoders_that_cannot_serve_are_the_users_error() -> None:
    with pytest.raises(UserError, match=r"'resnext51'.*xception71.*near it.*resnet50"):
        create_encoder("resnext51", 16)
    with pytest.raises(UserError, match=r"'qqq'.*list_models"):
        create_encoder("qqq", 16)
    with pytest.raises(UserError, match=r"vit_tiny_patch16_224 has no features"):
        create_encoder("vit_tiny_patch16_224", 16)
    with pytest.raises(UserError, match=r"output stride of 12.*8, 16 or 32"):
        create_encoder("resnet18", 12)
    with torch.device("meta"), pytest.raises(UserError, match=r"vgg11 .*16 \(timm cannot dilate it\)"):
        create_encoder("vgg11", 16)
