from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seglift.inference.panoptic import grouping
from seglift.inference.panoptic.grouping import nearest_centre, nearest_of_all


def plain(points: Tensor, centres: Tensor) -> list[int]:
    """One point and one centre after the other; the first of equally near ones."""
    result = []
    for y, x in points.double().tolist():
        squares = [(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in centres.double().tolist()]
        result.append(min(range(len(squares)), key=squares.__getitem__))
    return result


@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    count=st.integers(1, 60),
    spread=st.sampled_from([0.0, 1.0, 3.0]),
    chunk=st.sampled_from([1, 7, 1 << 18]),
)
def test_equal_to_plain_loops(seed: int, size: tuple[int, int], count: int, spread: float, chunk: int) -> None:
    """Points on a raster of halves, so that ties are frequent and exact; ``spread`` image sizes out of view."""
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor(size)
    centres = (torch.rand(count, 2, generator=generator) * extent).long()
    points = (torch.rand(80, 2, generator=generator) * (1 + 2 * spread) - spread) * extent
    points = (points * 2).round() / 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "CHUNK", chunk)
        patch.setattr(grouping, "PAIRS", chunk)
        expected = plain(points, centres)
        assert nearest_centre(points, centres, size).tolist() == expected
        assert nearest_of_all(points, centres.to(points.dtype)).tolist() == expected


@pytest.mark.parametrize("cells", [1, 5, 8192])
def test_any_size_of_the_cells(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "CELLS", cells)
    generator = torch.Generator().manual_seed(0)
    centres = (torch.rand(100, 2, generator=generator) * torch.tensor([200, 300])).long()
    points = torch.rand(500, 2, generator=generator) * torch.tensor([200, 300])
    assert nearest_centre(points, centres, (200, 300)).tolist() == plain(points, centres)


def test_centres_in_one_heap() -> None:
    """Every centre can be the nearest, wherever the cell lies."""
    centres = torch.stack(torch.meshgrid(torch.arange(30, 46, 2), torch.arange(30, 46, 2), indexing="ij"), -1).view(
        -1, 2
    )
    points = torch.stack(torch.meshgrid(torch.arange(0.0, 80, 7), torch.arange(0.0, 80, 7), indexing="ij"), -1).view(
        -1, 2
    )
    assert nearest_centre(points, centres, (80, 80)).tolist() == plain(points, centres)


def test_far_away_and_no_points() -> None:
    centres = torch.tensor([[5, 5], [5, 50]])
    points = torch.tensor([[1e6, 1e6], [-1e6, -1e6], [0.0, 27.4], [0.0, 27.5], [0.0, 27.6]])
    assert nearest_centre(points, centres, (60, 60)).tolist() == [1, 0, 0, 0, 1]
    assert nearest_centre(torch.zeros(0, 2), centres, (60, 60)).shape == (0,)


def test_no_centre_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one centre"):
        nearest_centre(torch.zeros(3, 2), torch.zeros(0, 2), (4, 4))
