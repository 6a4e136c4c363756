"""Multi-scale attention: what attention of one, of nought and of anything between must give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.models.multi_scale_attention import MultiScaleAttention, hrnet_ocr_msa
from seglift.models.zoo import build

TINY: dict[str, Any] = {
    "widths": (4, 8, 8, 8),
    "modules": (1, 1, 1),
    "blocks": 1,
    "stem": 8,
    "width": 16,
    "keys": 8,
    "attention": 8,
}
SIZE = (48, 64)


def tiny(scales: tuple[float, ...] = (0.5, 1.0, 2.0)) -> MultiScaleAttention:
    torch.manual_seed(0)
    network = hrnet_ocr_msa(3, scales=scales, **TINY).eval()
    nn.init.normal_(network.attention[6].weight, std=3.0)
    nn.init.normal_(network.network.head.classifier.weight, std=3.0)
    return network


def set_attention(network: MultiScaleAttention, logit: float) -> None:
    """The same attention everywhere: the last hidden layer is 1 in each of its 8 channels."""
    norm, last = network.attention[4], network.attention[6]
    nn.init.zeros_(norm.weight)
    nn.init.ones_(norm.bias)
    nn.init.constant_(last.weight, logit / 8)


def at(maps: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False)


def single(network: MultiScaleAttention, images: Tensor, scale: float) -> Tensor:
    """Logits of one scale, at that scale's size."""
    logits: Tensor = network.network(at(images, int(SIZE[0] * scale), int(SIZE[1] * scale)))
    return logits


def weight(network: MultiScaleAttention, images: Tensor, scale: float) -> Tensor:
    """Attention of one scale, at that scale's size."""
    size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
    return at(network.attention(network.network.features(at(images, *size))), *size)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_attention_of_one_sees_the_low_scale_only(images: Tensor) -> None:
    network = tiny()
    set_attention(network, 1000.0)
    outputs = network.outputs(images)
    low = at(single(network, images, 0.5), *SIZE)
    torch.testing.assert_close(outputs["main"], low)
    torch.testing.assert_close(outputs["scale_0.5"], low)
    low_guess = at(network.network.outputs(at(images, 24, 32))["aux"], *SIZE)
    torch.testing.assert_close(outputs["aux"], low_guess)
    torch.testing.assert_close(network(images), low)


@torch.no_grad()
def test_attention_of_nought_sees_the_high_scale_only(images: Tensor) -> None:
    network = tiny()
    set_attention(network, -1000.0)
    outputs = network.outputs(images)
    high = network.network.outputs(images)
    torch.testing.assert_close(outputs["main"], high["main"])
    torch.testing.assert_close(outputs["scale_1.0"], high["main"])
    torch.testing.assert_close(outputs["aux"], high["aux"])
    torch.testing.assert_close(network(images), at(single(network, images, 2.0), *SIZE))


@torch.no_grad()
def test_attention_of_a_half_halves_at_every_step(images: Tensor) -> None:
    network = tiny(scales=(1.0, 2.0, 0.25, 0.5))
    set_attention(network, 0.0)
    shares = {2.0: 1 / 8, 1.0: 1 / 8, 0.5: 1 / 4, 0.25: 1 / 2}
    expected = sum(share * at(single(network, images, scale), *SIZE) for scale, share in shares.items())
    torch.testing.assert_close(network(images), expected)


@torch.no_grad()
def test_varying_attention_follows_the_hierarchy(images: Tensor) -> None:
    """Finer ones are reduced to the next scale down to 1; what is coarser than 1 is weighted, then enlarged to 1."""
    network = tiny(scales=(0.5, 1.0, 1.5, 2.0))
    p = {scale: single(network, images, scale) for scale in network.scales}
    a = {scale: weight(network, images, scale) for scale in network.scales}
    assert a[0.5].std() > 0.01
    at_1_5 = a[1.5] * p[1.5] + (1 - a[1.5]) * at(p[2.0], 72, 96)
    at_1 = a[1.0] * p[1.0] + (1 - a[1.0]) * at(at_1_5, *SIZE)
    expected = at(a[0.5] * p[0.5], *SIZE) + (1 - at(a[0.5], *SIZE)) * at_1
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)
    of_two = at(a[0.5] * p[0.5], *SIZE) + (1 - at(a[0.5], *SIZE)) * p[1.0]
    torch.testing.assert_close(network.outputs(images)["main"], of_two, rtol=1e-4, atol=1e-4)


def test_training_mode_gives_the_blend_of_two_scales_and_every_parameter_learns(images: Tensor) -> None:
    network = build({"architecture": "hrnet_w48_ocr_msa", "arguments": {"num_classes": 3, **TINY}}, seed=0).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
    outputs = network.outputs(images)
    assert list(outputs) == ["main", "aux", "scale_0.5", "scale_1.0"]
    assert all(logits.shape == (2, 3, *SIZE) for logits in outputs.values())
    torch.testing.assert_close(network(images), outputs["main"])
    (outputs["main"].square().mean() + outputs["aux"].square().mean()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@torch.no_grad()
def test_features_are_those_of_scale_one() -> None:
    network, images = tiny(), torch.rand(1, 3, 33, 21)
    torch.testing.assert_close(network.features(images), network.network.features(images))
    assert network.features(images).shape == (1, 16, 9, 6)
    assert network(images).shape == (1, 3, 33, 21)
    assert network(torch.rand(1, 3, 1, 1)).shape == (1, 3, 1, 1)


@pytest.mark.parametrize("scales", [(0.5, 2.0), (1.0, 0.0), (1.0, 1.0), ()])
def test_impossible_scales_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="scales"):
        hrnet_ocr_msa(3, scales=scales, **TINY)


def test_low_scale_must_be_lower() -> None:
    with pytest.raises(UserError, match="low_scale 1"):
        hrnet_ocr_msa(3, low_scale=1.0, **TINY)
