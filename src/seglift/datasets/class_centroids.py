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
    _, lengths, classes = _find_runs(label)
    pixels = _sum_by_class(classes, lengths, IGNORE_TRAIN_ID + 1)
    if pixels[num_classes:IGNORE_TRAIN_ID].any():
        wrong = num_classes + int(np.flatnonzero(pixels[num_classes:])[0])
        raise ValueError(f"train ids below {num_classes} or 255 expected, got {wrong}")
    side = min(tile, height, width)
    points, train_ids = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.uint8)]
    corners = itertools.product(tile_starts(height, side), tile_starts(width, side)) if side else ()
    for top, left in corners:
        found, centroids = find_centroids(label[top : top + side, left : left + side], num_classes)
        train_ids.append(found)
        points.append(centroids + np.array([top, left], np.int32))
    return LabelSummary(pixels[:num_classes], np.concatenate(points), np.concatenate(train_ids))


def tile_starts(length: int, side: int) -> list[int]:
    """First pixels of the tiles along a side of ``length`` >= ``side``; the last one is shifted to end with it."""
    starts = list(range(0, length - side + 1, side))
    return starts if starts[-1] == length - side else [*starts, length - side]


def find_centroids(label: Array8, num_classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Classes present in ``label`` uint8 [h, w] (uint8 [K], ascending), and for each the integer mean of the rows and
    of the columns of its pixels (int32 [K, 2]). Works on runs of equal pixels, of which labels have few and long ones.
    """
    starts, lengths, classes = _find_runs(label)
    rows, columns = np.divmod(starts, label.shape[1])
    # All sums are integers below 2**53, so float64 holds them exactly.
    count = _sum_by_class(classes, lengths, num_classes)
    row_sum = _sum_by_class(classes, rows * lengths, num_classes)
    column_sum = _sum_by_class(classes, (2 * columns + lengths - 1) * lengths // 2, num_classes)
    present = np.flatnonzero(count)
    means = np.stack((row_sum[present] // count[present], column_sum[present] // count[present]), axis=1)
    return present.astype(np.uint8), means.astype(np.int32)


def _find_runs(label: Array8) -> tuple[NDArray[np.int64], NDArray[np.int64], Array8]:
    """First pixel (in reading order), length and class of each run of equal pixels within a row."""
    begins = np.ones(label.shape, bool)
    np.not_equal(label[:, 1:], label[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    return starts, np.diff(starts, append=label.size), label.ravel()[starts]


def _sum_by_class(classes: Array8, values: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    return np.bincount(classes, weights=values, minlength=num_classes)[:num_classes].astype(np.int64)
