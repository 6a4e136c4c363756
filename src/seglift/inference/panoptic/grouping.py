"""The centre that each pixel belongs to: the nearest of many, for very many points.

On a CPU a grid is laid over the image. Of its cells, most have but one or two centres that can be the nearest to any
point in them; only those are compared with the cell's points. The result is that of comparing with all, which a GPU
does in less time than it takes to look cells up (an H200 20 times as fast; benchmarks/panoptic_inference_speed.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CELL = 16
"""Smallest side of a cell in pixels."""

CELLS = 8192
"""Number of cells that larger images are cut into, about; theirs are larger."""

CHUNK = 1 << 18
"""Points that are looked at together, which bounds memory."""

PAIRS = 1 << 24
"""Pairs of a point and a centre that a GPU compares at a time, which bounds memory."""

ROUNDING = 0.1
"""Pixels by which computed distances may be wrong, far more than they are."""


def join_centres(offset: Tensor, things: Tensor, centres: Tensor) -> Tensor:
    """Index of the centre that each thing pixel joins, int64 [N].

    Args:
        offset: float32 [2, H, W], rows and columns from a pixel to its centre, in pixels.
        things: int64 [N], positions in the flattened image.
        centres: int64 [K, 2], rows and columns; K at least 1.

    Raises:
        ValueError: offsets of things that are no finite numbers.
    """
    height, width = offset.shape[1:]
    to_centre = offset.flatten(1).index_select(1, things)
    if not bool(to_centre.isfinite().all()):
        raise ValueError("offsets have values that are no finite numbers; check the network")
    at = torch.stack([things // width, things % width])
    return nearest_centre((at + to_centre).T, centres, (height, width))


def nearest_centre(points: Tensor, centres: Tensor, size: tuple[int, int]) -> Tensor:
    """Index of the centre nearest to each point by Euclidean distance; the first of several equally near.

    Args:
        points: float32 [N, 2], row and column in pixels; any finite values, fast within the image.
        centres: [K, 2], rows and columns; K at least 1.
        size: height and width of the image.

    Returns:
        int64 [N], 0..K-1.

    Raises:
        ValueError: no centre, or other shapes.
    """
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != 2 or centres.shape[1] != 2 or not len(centres):
        raise ValueError(
            f"points [N, 2] and at least one centre [K, 2] expected, got {tuple(points.shape)}, {tuple(centres.shape)}"
        )
    centres = centres.to(points.dtype)
    return nearest_in_grid(points, centres, size) if points.device.type == "cpu" else nearest_of_all(points, centres)


def nearest_of_all(points: Tensor, centres: Tensor) -> Tensor:
    """:func:`nearest_centre` by comparing each point with each centre, both of one dtype."""
    parts = torch.split(points, max(1, PAIRS // len(centres)))
    return torch.cat([_squared_distance(part[:, None], centres).argmin(1) for part in parts])


def nearest_in_grid(points: Tensor, centres: Tensor, size: tuple[int, int]) -> Tensor:
    """:func:`nearest_centre` by comparing each point with the centres that its cell leaves, both of one dtype."""
    grid = _lay_grid(centres, size)
    return torch.cat([_nearest(chunk, grid) for chunk in torch.split(points, CHUNK)])


@dataclass(frozen=True, eq=False)
class _Grid:
    """Which centres can be the nearest in which cell.

    Attributes:
        centres: float [K, 2].
        size: height and width of the image.
        cell: side of the cells in pixels.
        candidates: int64 [M], indices of centres, those of each cell ascending; the last cell stands for all points
            outside of the image and has all centres.
        starts: int64 [cells], where the candidates of a cell begin.
        counts: int64 [cells], how many they are, at least 1.
    """

    centres: Tensor
    size: tuple[int, int]
    cell: int
    candidates: Tensor
    starts: Tensor
    counts: Tensor


def _lay_grid(centres: Tensor, size: tuple[int, int]) -> _Grid:
    cell = max(CELL, math.ceil(math.sqrt(size[0] * size[1] / CELLS)))
    middle_y, middle_x = (
        (torch.arange(math.ceil(length / cell), device=centres.device) + 0.5) * cell for length in size
    )
    squares = (middle_y[:, None] - centres[:, 0]).square()[:, None] + (middle_x[:, None] - centres[:, 1]).square()
    distance = squares.flatten(0, 1).sqrt_()
    # By the triangle inequality, what is nearest to a point of the cell is at most its diagonal farther from the middle
    # than what is nearest to the middle.
    near = distance <= distance.amin(1, keepdim=True) + (math.sqrt(2) * cell + ROUNDING)
    near = torch.cat([near, near.new_ones(1, len(centres))])
    counts = near.sum(1)
    return _Grid(centres, size, cell, near.nonzero()[:, 1], counts.cumsum(0) - counts, counts)


def _nearest(points: Tensor, grid: _Grid) -> Tensor:
    """Index of the nearest centre, int64 [n], of points [n, 2]."""
    cell = _cells(points, grid)
    start, count = grid.starts.index_select(0, cell), grid.counts.index_select(0, cell)
    result = grid.candidates.index_select(0, start)
    # What follows shrinks to the points whose cells have more candidates.
    open_ = (count > 1).nonzero()[:, 0]
    points, start, count, best = points[open_], start[open_], count[open_], result[open_]
    least = _squared_distance(points, grid.centres.index_select(0, best))
    turn = 1
    while len(open_):
        other = grid.candidates.index_select(0, start + turn)
        distance = _squared_distance(points, grid.centres.index_select(0, other))
        best = torch.where(distance < least, other, best)
        least = torch.minimum(distance, least)
        turn += 1
        more = count > turn
        if not bool(more.all()):
            result[open_[~more]] = best[~more]
            open_, points, start, count, best, least = (v[more] for v in (open_, points, start, count, best, least))
    return result


def _cells(points: Tensor, grid: _Grid) -> Tensor:
    """Cell of each point, int64 [n]; the last one outside of the image."""
    (height, width), (y, x) = grid.size, points.unbind(1)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    cell = (y / grid.cell).long() * math.ceil(width / grid.cell) + (x / grid.cell).long()
    return torch.where(inside, cell, len(grid.counts) - 1)


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    difference = a - b
    return difference[..., 0].square() + difference[..., 1].square()
