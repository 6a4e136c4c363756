from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from seglift.models.wide_resnet_strided import LAYOUTS, PreActivationUnit, StridedWideResNet


def meta(layers: int, output_stride: int = 16) -> StridedWideResNet:
    with torch.device("meta"):
        return StridedWideResNet(layers, output_stride)


def dilations(network: StridedWideResNet) -> list[list[int]]:
    """The dilation of each unit's 3x3 convolutions, stage by stage."""
    found = []
    for stage in network.stages.values():
        units = [{m.dilation[0] for m in u.body if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)} for u in stage]
        assert all(len(unit) == 1 for unit in units)
        found.append([unit.pop() for unit in units])
    return found


@pytest.mark.parametrize(
    ("layers", "with_classifier", "trunk"), [(38, 109.18, 105.09), (41, 111.06, 109.01)], ids=["38", "41"]
)
def test_parameter_counts_of_the_paper(layers: int, with_classifier: float, trunk: float) -> None:
    network = meta(layers)
    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(trunk, abs=0.006)
    classifier = (network.channels[-1] + 1) * 1000  # of ImageNet
    assert (count + classifier) / 1e6 == pytest.approx(with_classifier, abs=0.006)


@pytest.mark.parametrize("layers", [38, 41])
def test_layers_are_counted_as_by_name(layers: int) -> None:
    convolutions = sum(count * len(channels) for count, channels in LAYOUTS[layers].stages.values())
    assert 1 + convolutions + 1 == layers  # stem and classifier
    weights = [m for name, m in meta(layers).named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in name]
    assert len(weights) == 1 + convolutions


@pytest.mark.parametrize(
    ("layers", "output_stride", "strides", "expected"),
    [
        (38, 32, (2, 4, 8, 16, 32, 32), [[1] * 3, [1] * 3, [1] * 6, [1] * 3, [1], [2]]),
        (38, 16, (2, 4, 8, 16, 16, 16), [[1] * 3, [1] * 3, [1] * 6, [1] * 3, [2], [4]]),
        (38, 8, (2, 4, 8, 8, 8, 8), [[1] * 3, [1] * 3, [1] * 6, [2] * 3, [4], [8]]),
        (41, 32, (2, 4, 8, 16, 32), [[1] * 3, [1] * 3, [1] * 6, [1] * 3, [1, 2, 4]]),
        (41, 16, (2, 4, 8, 16, 16), [[1] * 3, [1] * 3, [1] * 6, [1] * 3, [2, 4, 8]]),
        (41, 8, (2, 4, 8, 8, 8), [[1] * 3, [1] * 3, [1] * 6, [2] * 3, [4, 8, 16]]),
    ],
)
def test_strides_become_dilation(
    layers: int, output_stride: int, strides: tuple[int, ...], expected: list[list[int]]
) -> None:
    network = meta(layers, output_stride)
    assert network.strides == strides
    assert dilations(network) == expected
    maps = network(torch.zeros(1, 3, 129, 257, device="meta"))
    sizes = [(c, 128 // s + 1, 256 // s + 1) for c, s in zip(network.channels, strides, strict=True)]
    assert [tuple(each.shape[1:]) for each in maps] == sizes


@pytest.mark.parametrize("layers", [38, 41])
def test_paths_are_dropped_from_stride_4_on(layers: int) -> None:
    network = meta(layers)
    for name, stage in network.stages.items():
        rates = [m.drop_prob for m in stage.modules() if isinstance(m, DropPath)]
        assert rates == pytest.approx([0.0 if name == "stage2" else 0.2] * len(stage))


def test_a_dropped_path_leaves_the_shortcut_and_a_kept_one_is_scaled() -> None:
    torch.manual_seed(0)
    unit = PreActivationUnit(2, (2, 2), drop_path=0.2)
    nn.init.ones_(unit.body[-1].weight)
    x = torch.randn(1, 2, 5, 6).expand(1000, -1, -1, -1)
    unit(x[:2])
    for norm in (m for m in unit.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.eval()
    shortcut = x[:1].clamp_min(0)
    scaled = shortcut + unit.body(shortcut) / 0.8
    result = unit(x)
    dropped = (result == shortcut).flatten(1).all(1)
    assert dropped.sum().item() == pytest.approx(200, abs=50)
    assert torch.allclose(result[~dropped], scaled.expand(int((~dropped).sum()), -1, -1, -1), atol=1e-6)
    assert torch.allclose(unit.eval()(x[:1]), shortcut + unit.body(shortcut))


@torch.no_grad()
def test_a_unit_first_passes_on_its_shortcut() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 7)
    kept = x.clone()
    assert torch.equal(PreActivationUnit(4, (6, 4))(x), x.clamp_min(0))
    other = PreActivationUnit(4, (3, 6, 8), stride=2).eval()
    projected = torch.einsum("oi,bihw->bohw", other.shortcut[0].weight[:, :, 0, 0], x.clamp_min(0)[..., ::2, ::2])
    assert torch.allclose(other(x), projected / (1 + 1e-5) ** 0.5, atol=1e-6)
    assert torch.equal(x, kept)
    strides = [m.stride[0] for m in other.body if isinstance(m, nn.Conv2d)]
    assert strides == [1, 2, 1]
    assert [m.stride[0] for m in PreActivationUnit(4, (4, 8), 2).body if isinstance(m, nn.Conv2d)] == [2, 1]


@torch.no_grad()
def test_reach_of_a_dilated_unit() -> None:
    unit = PreActivationUnit(1, (1, 1), dilation=2).eval()
    for layer in unit.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 17, 17)
    x[..., 8, 8] = 1
    assert unit(x)[0, 0, 8].nonzero().flatten().tolist() == [4, 6, 8, 10, 12]
