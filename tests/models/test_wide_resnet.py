from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.models.wide_resnet import PreActivationBlock, WideResNet38


def meta(output_stride: int = 8) -> WideResNet38:
    with torch.device("meta"):
        return WideResNet38(output_stride)


def test_parameter_count() -> None:
    # Convolutions counted by hand: stem, then for each stage its first block (with projection) and the others alike.
    stem = 3 * 64 * 9
    mod2 = (64 * 128 * 10 + 128 * 128 * 9) + 2 * 2 * 128 * 128 * 9
    mod3 = (128 * 256 * 10 + 256 * 256 * 9) + 2 * 2 * 256 * 256 * 9
    mod4 = (256 * 512 * 10 + 512 * 512 * 9) + 5 * 2 * 512 * 512 * 9
    mod5 = (512 * 512 * 9 + 512 * 1024 * 10) + 2 * (1024 * 512 * 9 + 512 * 1024 * 9)
    mod6 = 1024 * 512 + 512 * 1024 * 9 + 1024 * 2048 + 1024 * 2048
    mod7 = 2048 * 1024 + 1024 * 2048 * 9 + 2048 * 4096 + 2048 * 4096
    norms = 2 * (64 + 5 * 128 + 128 + 5 * 256 + 256 + 11 * 512 + 512 + 512 + 2 * (1024 + 512))
    norms += 2 * (1024 + 512 + 1024 + 2048 + 1024 + 2048)
    total = stem + mod2 + mod3 + mod4 + mod5 + mod6 + mod7 + norms
    assert sum(p.numel() for p in meta().parameters()) == total == 105_062_720


@pytest.mark.parametrize(
    ("output_stride", "strides", "dilations"),
    [
        (8, (2, 4, 8, 8, 8, 8), (1, 1, 1, 2, 4, 4)),
        (16, (2, 4, 8, 16, 16, 16), (1, 1, 1, 1, 2, 2)),
        (32, (2, 4, 8, 16, 32, 32), (1, 1, 1, 1, 1, 1)),
    ],
)
def test_strides_become_dilation(output_stride: int, strides: tuple[int, ...], dilations: tuple[int, ...]) -> None:
    network = meta(output_stride)
    assert network.strides == strides
    for stage, dilation in zip(network.stages.values(), dilations, strict=True):
        middle = [m for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert {m.dilation for m in middle} == {(dilation, dilation)}
    dropouts = {name: m.p for name, m in network.named_modules() if isinstance(m, nn.Dropout2d)}
    assert list(dropouts.values()) == [0.3, 0.5]
    assert [name.split(".")[1] for name in dropouts] == ["mod6", "mod7"]


@torch.no_grad()
def test_shortcuts_see_the_input_itself_or_its_activation() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 5, 6)
    kept = x.clone()
    same, other = PreActivationBlock(4, (4, 4)).eval(), PreActivationBlock(4, (4, 6, 8)).eval()
    for block in (same, other):
        nn.init.zeros_(block.body[-1].weight)
    assert torch.equal(same(x), x)
    assert other.shortcut is not None
    expected = torch.einsum("oi,bihw->bohw", other.shortcut.weight[:, :, 0, 0], (x / (1 + 1e-5) ** 0.5).clamp_min(0))
    assert torch.allclose(other(x), expected, atol=1e-6)
    assert torch.equal(x, kept)  # the activation in place is of the norm's output


@torch.no_grad()
def test_reach_of_a_dilated_block() -> None:
    block = PreActivationBlock(1, (1, 1), dilation=2).eval()
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 17, 17)
    x[..., 8, 8] = 1
    columns = block(x)[0, 0, 8].nonzero().flatten().tolist()
    assert columns == [4, 6, 8, 10, 12]
