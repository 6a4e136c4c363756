"""HRNet against its published size and against timm's, an independent one, taught to fuse bilinearly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.models.hrnet import HighResolutionNet
from torch import nn

from seglift.base.errors import UserError
from seglift.models.hrnet import HRNet
from seglift.models.published_hrnet import HRNET_LAYOUTS

WIDTHS, MODULES, BLOCKS, STEM = (4, 8, 12, 16), (1, 2, 1), 2, 64  # timm's stem has 64 channels
PUBLISHED_SEGMENTATION_W48 = 65_859_379  # HRNetV2-W48 with 19 classes, "65.9 M" in the paper's tables


def tiny() -> HRNet:
    return HRNet(WIDTHS, MODULES, BLOCKS, STEM)


def timm_hrnet() -> HighResolutionNet:
    """timm's HRNet of the same sizes, its enlarging between branches made bilinear."""
    stages: dict[str, Any] = {
        f"stage{number}": {
            "num_modules": count,
            "num_branches": number,
            "block_type": "BASIC",
            "num_blocks": (BLOCKS,) * number,
            "num_channels": WIDTHS[:number],
            "fuse_method": "SUM",
        }
        for number, count in enumerate(MODULES, start=2)
    }
    first = {"block_type": "BOTTLENECK", "num_blocks": (BLOCKS,), "num_channels": (STEM,)}
    first |= {"num_modules": 1, "num_branches": 1, "fuse_method": "SUM"}
    network = HighResolutionNet({"stem_width": STEM, "stage1": first, **stages})
    for module in network.modules():
        if isinstance(module, nn.Upsample):
            module.mode = "bilinear"
    return network


def scramble(module: nn.Module) -> None:
    """Random weights and statistics, so that no layer is the identity and no two are alike."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.is_floating_point():
            scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 0.3
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)


def test_same_maps_as_timms_network_with_bilinear_fusion() -> None:
    ours, theirs = tiny().eval(), timm_hrnet().eval()
    scramble(theirs)
    layout = HRNET_LAYOUTS["HRNet"]
    known = theirs.state_dict()
    names = {name: layout.published_name(f"encoder.{name}").removeprefix("backbone.") for name in ours.state_dict()}
    ours.load_state_dict({name: known[published] for name, published in names.items()})
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        stem = theirs.act2(theirs.bn2(theirs.conv2(theirs.act1(theirs.bn1(theirs.conv1(images))))))
        maps = theirs.stages(stem)
        expected = [nn.functional.interpolate(each, size=(16, 24), mode="bilinear") for each in maps]
        torch.testing.assert_close(ours(images), torch.cat(expected, dim=1), rtol=1e-5, atol=1e-5)


def test_w48_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        encoder = HRNet()
        head = nn.Sequential(nn.Conv2d(720, 720, 1), nn.BatchNorm2d(720), nn.ReLU(), nn.Conv2d(720, 19, 1))
    count = sum(tensor.numel() for tensor in (*encoder.parameters(), *head.parameters()))
    assert encoder.channels == 720
    assert count == PUBLISHED_SEGMENTATION_W48


@pytest.mark.parametrize("size", [(64, 64), (33, 70), (7, 5)])
def test_any_size_at_stride_four(size: tuple[int, int]) -> None:
    features = tiny().eval()(torch.rand(1, 3, *size))
    assert features.shape == (1, sum(WIDTHS), -(-size[0] // 4), -(-size[1] // 4))


def test_every_parameter_learns() -> None:
    encoder = tiny()
    encoder(torch.rand(2, 3, 64, 64)).square().mean().backward()
    idle = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_wrong_numbers_of_branches_are_refused() -> None:
    with pytest.raises(UserError, match="4 widths"):
        HRNet(widths=(4, 8, 16))
    with pytest.raises(UserError, match="3 numbers of modules"):
        HRNet(modules=(1, 1))
