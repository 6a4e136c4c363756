from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from seglift.inference.panoptic.centres import find_centres
from seglift.inference.panoptic.settings import PanopticSettings


def heatmap(size: tuple[int, int], **peaks: tuple[int, int, float]) -> Tensor:
    result = torch.zeros(size)
    for row, column, heat in peaks.values():
        result[row, column] = heat
    return result


def published(heat: Tensor, threshold: float, window: int, most: int) -> list[list[int]]:
    """As Panoptic-DeepLab's release has it: threshold, max-pooling, top k."""
    heat = F.threshold(heat, threshold, -1)
    pooled = F.max_pool2d(heat[None], window, stride=1, padding=window // 2)[0]
    heat = torch.where(heat == pooled, heat, -1)
    found = (heat > 0).nonzero()
    if len(found) > most:
        least = heat.flatten().topk(most).values[-1].clamp_min(0)
        found = (heat >= least).nonzero()
    return found.tolist()


def test_peaks_hottest_first() -> None:
    heat = heatmap((9, 20), a=(4, 3, 0.5), beside=(4, 5, 0.4), b=(4, 12, 0.9), cold=(0, 19, 0.1), corner=(8, 19, 0.2))
    centres = find_centres(heat, PanopticSettings(window=5))
    assert centres.positions.tolist() == [[4, 12], [4, 3], [8, 19]]
    assert centres.heat.tolist() == pytest.approx([0.9, 0.5, 0.2])
    assert find_centres(heat, PanopticSettings(window=3)).positions.tolist() == [[4, 12], [4, 3], [4, 5], [8, 19]]
    assert find_centres(heat, PanopticSettings(window=5, most=2)).positions.tolist() == [[4, 12], [4, 3]]


def test_equal_ones_come_in_reading_order() -> None:
    heat = heatmap((9, 20), a=(8, 0, 0.5), b=(0, 19, 0.5), c=(0, 0, 0.5), d=(8, 19, 0.5))
    assert find_centres(heat, PanopticSettings()).positions.tolist() == [[0, 0], [0, 19], [8, 0], [8, 19]]


def test_more_peaks_than_can_be_numbered() -> None:
    heat = torch.zeros(60, 60)
    heat[::2, ::2] = torch.linspace(0.2, 0.9, 900).view(30, 30)
    heat = torch.cat([heat, heat])  # 1800 peaks
    centres = find_centres(heat, PanopticSettings(window=3, most=1000))
    assert len(centres.heat) == 1000
    assert centres.heat.min() >= heat.flatten().topk(1000).values[-1]


def test_nothing_above_the_threshold() -> None:
    centres = find_centres(torch.full((5, 5), 0.1), PanopticSettings())
    assert centres.positions.shape == (0, 2)
    assert centres.heat.shape == (0,)


@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    window=st.sampled_from([1, 3, 7, 13]),
    levels=st.sampled_from([3, 1000]),
)
def test_equal_to_the_published_code(seed: int, size: tuple[int, int], window: int, levels: int) -> None:
    """With few levels there are plateaux, and peaks at the borders in any case."""
    generator = torch.Generator().manual_seed(seed)
    heat = torch.randint(0, levels, size, generator=generator) / levels
    found = find_centres(heat, PanopticSettings(window=window, most=1000))
    assert sorted(found.positions.tolist()) == published(heat, 0.1, window, 1000)
    assert (found.heat.diff() <= 0).all()


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"heatmap \[H, W\]"):
        find_centres(torch.zeros(1, 4, 4), PanopticSettings())
