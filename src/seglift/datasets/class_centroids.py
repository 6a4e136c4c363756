"""Which classes a label holds, and their centroids in each tile of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.labels.space import IGNORE_TRAIN_ID, Array8


@dataclass(frozen=True, eq=False)
class LabelSummary:
    """What one label holds.

    Attributes:
        pixels: int64 [C], pixels of each class.
        points: int32 [R, 2], row and column of the centroid of each class in each tile that has it, by tile and class.
        train_ids: uint8 [R], the class of each centroid.
    """

    pixels: NDArray[np.int64]
    points: NDArray[np.int32]
    train_ids: NDArray[np.uint8]


def summarize(label: Array8, tile: int, num_classes: int) -> LabelSummary:
    """Class pixels and centroids of a label.

    Args:
        label: uint8 [H, W] train ids, 255 = ignore.
        tile: side of the tiles, pixels; no larger than the label's short side counts.
        num_classes: number C of train ids.

    Raises:
        ValueError: a train id that is neither below C nor 255.
    """
    height, width = label.shape
    side = min(tile, height, width)
    points, train_ids = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.uint8)]
    pixels = np.zeros(num_classes, np.int64)
    corners = itertools.product(tile_starts(height, side), tile_starts(width, side)) if side else ()
    for top, left in corners:
        count, centroids = find_centroids(label[top : top + side, left : left + side], num_classes)
        train_ids.append(np.flatnonzero(count).astype(np.uint8))
        points.append(centroids + np.array([top, left], np.int32))
        pixels += count
    if side and (height % side or width % side):
        runs = _find_runs(label)  # tiles overlap and count pixels twice
        pixels = _sum_by_class(runs, runs.lengths, num_classes)
    return LabelSummary(pixels, np.concatenate(points), np.concatenate(train_ids))


def tile_starts(length: int, side: int) -> list[int]:
    """First pixels of the tiles along a side of ``length`` >= ``side``; the last one is shifted to end with it."""
    starts = list(range(0, length - side + 1, side))
    return starts if starts[-1] == length - side else [*starts, length - side]


def find_centroids(label: Array8, num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where the classes of a label are; works on runs of equal pixels, of which labels have few and long ones.

    Args:
        label: uint8 [h, w] train ids, 255 = ignore.
        num_classes: number C of train ids.

    Returns:
        int64 [C], pixels of each class; int32 [K, 2], for each class that has any the integer mean of the rows and of
        the columns of its pixels.

    Raises:
        ValueError: a train id that is neither below C nor 255.
    """
    runs = _find_runs(label)
    count = _sum_by_class(runs, runs.lengths, num_classes)
    row_sum = _sum_by_class(runs, runs.rows * runs.lengths, num_classes)
    column_sum = _sum_by_class(runs, (runs.columns + 0.5 * (runs.lengths - 1)) * runs.lengths, num_classes)
    present = np.flatnonzero(count)
    means = np.stack((row_sum[present] // count[present], column_sum[present] // count[present]), axis=1)
    return count, means.astype(np.int32)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of equal pixels within the rows of a label: class, row, first column and length of each.

    Numbers are float64, which ``bincount`` adds fastest; sums of integers below 2**53 are exact.
    """

    classes: NDArray[np.intp]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    lengths: NDArray[np.float64]


def _find_runs(label: Array8) -> _Runs:
    height, width = label.shape
    begins = np.ones(label.shape, bool)
    np.not_equal(label[:, 1:], label[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    rows = np.repeat(np.arange(height, dtype=np.float64), np.count_nonzero(begins, axis=1))
    lengths = np.diff(starts, append=label.size).astype(np.float64)
    return _Runs(label.ravel()[starts].astype(np.intp), rows, starts - rows * width, lengths)


def _sum_by_class(runs: _Runs, values: NDArray[np.float64], num_classes: int) -> NDArray[np.int64]:
    sums = np.bincount(runs.classes, weights=values, minlength=IGNORE_TRAIN_ID + 1).astype(np.int64)
    foreign = np.flatnonzero(sums[num_classes:IGNORE_TRAIN_ID])
    if len(foreign):
        raise ValueError(f"train ids below {num_classes} or 255 expected, got {num_classes + int(foreign[0])}")
    return sums[:num_classes]
