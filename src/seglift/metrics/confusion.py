"""Pooled confusion matrix and the scores read off it: IoU, pixel accuracy, mean accuracy, category IoU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

_IGNORE = 255
PRESENT_FROM = 50
"""Pixels of the ground truth from which a class counts as present in a frame."""
_EXACT_COUNTS = 1 << 24
"""OpenCV gives histograms as float32, in which no larger number of pixels is counted exactly."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of pixels by true and predicted class; counts of several images or processes add up.

    Ground truth 255 is left out. A prediction that is no class (255) on valid ground truth misses the true class and
    is nobody's false positive, as in the Cityscapes evaluation (Cordts et al., CVPR 2016, section 3.1).

    Attributes:
        counts: int64 [C, C + 1]; rows are ground truth, the last column is "predicted no class".

    Example:
        >>> import numpy as np
        >>> truth = np.array([[0, 0, 1, 255]], np.uint8)
        >>> prediction = np.array([[0, 1, 1, 0]], np.uint8)
        >>> confusion = Confusion.empty(3)
        >>> confusion.update(prediction, truth)
        >>> confusion.iou().tolist()
        [0.5, 0.5, nan]
        >>> confusion.miou(), round(confusion.pixel_accuracy(), 4), confusion.mean_accuracy()
        (0.5, 0.6667, 0.75)
        >>> (confusion + confusion).counts.tolist()
        [[2, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    """

    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.counts.shape[1] != self.counts.shape[0] + 1:
            raise ValueError(f"counts must be [C, C + 1], got {self.counts.shape}")

    @classmethod
    def empty(cls, num_classes: int) -> Self:
        """No pixel counted yet; ``num_classes`` is C, 1 to 255."""
        if not 1 <= num_classes <= _IGNORE:
            raise ValueError(f"number of classes must be 1..255, got {num_classes}")
        return cls(np.zeros((num_classes, num_classes + 1), np.int64))

    @property
    def num_classes(self) -> int:
        """C."""
        return int(self.counts.shape[0])

    def update(self, prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Adds the pixels of one image (or a batch) in place.

        Args:
            prediction: uint8 [H, W] train ids; whatever is not 0..C-1 counts as "no class".
            truth: uint8, same shape, train ids 0..C-1, or 255 = left out.

        Raises:
            ValueError: shapes or dtypes differ from the above, or ``truth`` has a value from C to 254.
        """
        if prediction.shape != truth.shape or prediction.dtype != np.uint8 or truth.dtype != np.uint8:
            raise ValueError(
                f"prediction and truth must be uint8 of one shape, got {prediction.dtype} {prediction.shape} "
                f"and {truth.dtype} {truth.shape}"
            )
        table = joint_histogram(truth, prediction)
        size = self.num_classes
        if table[size:_IGNORE].any():
            wrong = int(np.flatnonzero(table[size:_IGNORE].any(axis=1))[0]) + size
            raise ValueError(f"ground truth must be 0..{size - 1} or 255, got {wrong}")
        self.counts[:, :size] += table[:size, :size]
        self.counts[:, size] += table[:size, size:].sum(axis=1)

    def __add__(self, other: Confusion) -> Confusion:
        if self.counts.shape != other.counts.shape:
            raise ValueError(f"cannot add {self.num_classes} and {other.num_classes} classes")
        return Confusion(self.counts + other.counts)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union per class, float64 [C] in 0..1; NaN where the class is in neither map."""
        hit = np.diagonal(self.counts)
        union = self.counts.sum(axis=1) + self.counts[:, :-1].sum(axis=0) - hit
        return _share(hit, union)

    def miou(self) -> float:
        """Mean of :meth:`iou` over the classes that occur; NaN where none does."""
        return _mean(self.iou())

    def present_miou(self, min_pixels: int = PRESENT_FROM) -> float:
        """Mean of :meth:`iou` over the classes with ``min_pixels`` of ground truth or more; NaN where none has.

        For single frames, where a class of a few pixels, or one predicted alone, would weigh as much as the road.

        Example:
            >>> import numpy as np
            >>> confusion = Confusion(np.array([[60, 20, 10, 0], [0, 9, 0, 0], [0, 0, 0, 0]]))
            >>> round(confusion.present_miou(), 4), round(confusion.miou(), 4)
            (0.6667, 0.3257)
        """
        return _mean(self.iou()[self.counts.sum(axis=1) >= min_pixels])

    def pixel_accuracy(self) -> float:
        """Share of valid ground truth pixels predicted right, 0..1; NaN without any."""
        return float(_share(np.trace(self.counts), self.counts.sum()))

    def mean_accuracy(self) -> float:
        """Recall per class, averaged over the classes in the ground truth, 0..1; NaN without any."""
        return _mean(_share(np.diagonal(self.counts), self.counts.sum(axis=1)))

    def category_iou(self, categories: Mapping[str, Sequence[int]]) -> dict[str, float]:
        """IoU of groups of classes; confusion within a group counts as right.

        Args:
            categories: train ids of each group, e.g. ``space.categories``.

        Returns:
            IoU 0..1 by name; NaN where a group is in neither map.

        Example:
            >>> import numpy as np
            >>> confusion = Confusion(np.array([[5, 3, 2, 0], [0, 4, 0, 0], [1, 0, 9, 0]]))
            >>> confusion.category_iou({"ground": (0, 1), "sky": (2,)})
            {'ground': 0.8, 'sky': 0.75}
        """
        scores: dict[str, float] = {}
        for name, members in categories.items():
            rows = self.counts[list(members)]
            hit = rows[:, list(members)].sum()
            union = rows.sum() + self.counts[:, list(members)].sum() - hit
            scores[name] = float(_share(hit, union))
        return scores


def merge_by_distance(first: Mapping[int, Confusion], second: Mapping[int, Confusion]) -> dict[int, Confusion]:
    """Confusions by distance (or another key) added up; what one side lacks is taken from the other."""
    return {**first, **{key: first[key] + value if key in first else value for key, value in second.items()}}


def joint_histogram(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each pair of values occurs, int64 [256, 256]; a third of the time of one ``numpy.bincount``.

    Args:
        rows: uint8, any shape; its values number the rows of the table.
        columns: uint8, the same shape.
    """
    table = np.zeros((256, 256), np.int64)
    flat = [values.reshape(1, -1) for values in (rows, columns)]
    for start in range(0, rows.size, _EXACT_COUNTS):
        part = [np.ascontiguousarray(values[:, start : start + _EXACT_COUNTS]) for values in flat]
        table += cv2.calcHist(part, [0, 1], None, [256, 256], [0, 256, 0, 256]).astype(np.int64)
    return table


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), np.float64)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
