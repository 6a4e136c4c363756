"""Temporal consistency: how far a video's labels agree with the labels of the frame before, carried along by motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seglift.metrics.confusion import joint_histogram

_IGNORE = 255


@dataclass(frozen=True, eq=False)
class TemporalConsistency:
    """Counts of pixels by their carried and their own class; those of several clips or processes add up.

    Liu et al. (Efficient Semantic Video Segmentation with Per-frame Inference, ECCV 2020) take the mIoU between a
    frame's labels and those of the frame before, warped onto it; here pooled over all pairs of frames, and only where
    the motion can be trusted. Void on both sides is left out; void on one side is a disagreement. No ground truth is
    involved: labels that never change are perfectly consistent, right or wrong.

    Attributes:
        counts: int64 [C + 1, C + 1]; rows: carried from the frame before, columns: the frame's own, the last of both
            void.
        pairs: pairs of frames counted.

    Example:
        >>> import numpy as np
        >>> carried = np.array([[0, 0, 1, 1, 255, 0]], np.uint8)
        >>> current = np.array([[0, 1, 1, 1, 255, 255]], np.uint8)
        >>> consistency = TemporalConsistency.of(carried, current, np.ones((1, 6), bool), num_classes=2)
        >>> round(consistency.miou(), 4), consistency.agreement(), consistency.pairs
        (0.5, 0.6, 1)
    """

    counts: NDArray[np.int64]
    pairs: int = 0

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.counts.shape[0] != self.counts.shape[1] or len(self.counts) < 2:
            raise ValueError(f"counts must be [C + 1, C + 1], got {self.counts.shape}")

    @classmethod
    def empty(cls, num_classes: int) -> Self:
        """No pair counted yet; ``num_classes`` is C, 1 to 255."""
        if not 1 <= num_classes <= _IGNORE:
            raise ValueError(f"number of classes must be 1..255, got {num_classes}")
        return cls(np.zeros((num_classes + 1, num_classes + 1), np.int64))

    @classmethod
    def of(
        cls,
        carried: NDArray[np.uint8],
        current: NDArray[np.uint8],
        visible: NDArray[np.bool_],
        num_classes: int,
    ) -> Self:
        """One pair of neighbouring frames.

        Args:
            carried: train ids of the frame before, warped onto the frame, uint8 [H, W]; 255 = void.
            current: train ids of the frame itself, uint8 [H, W]; 255 = void.
            visible: bool [H, W], where the frame before shows the same thing; elsewhere nothing is counted.
            num_classes: C, 1 to 255.

        Raises:
            ValueError: shapes or dtypes differ from the above, or a train id is C to 254.
        """
        if not carried.shape == current.shape == visible.shape or {carried.dtype, current.dtype} != {
            np.dtype(np.uint8)
        }:
            raise ValueError(
                f"carried and current must be uint8 of visible's shape, got {carried.dtype} {carried.shape}, "
                f"{current.dtype} {current.shape} and {visible.shape}"
            )
        table = joint_histogram(carried[visible], current[visible])
        known = [*range(num_classes), _IGNORE]
        counts = table[np.ix_(known, known)]
        if counts.sum() != table.sum():
            raise ValueError(f"train ids must be 0..{num_classes - 1} or 255")
        return cls(counts, 1)

    def __add__(self, other: TemporalConsistency) -> TemporalConsistency:
        if self.counts.shape != other.counts.shape:
            raise ValueError(f"cannot add {len(self.counts) - 1} and {len(other.counts) - 1} classes")
        return TemporalConsistency(self.counts + other.counts, self.pairs + other.pairs)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of carried and own labels, float64 [C] in 0..1; NaN where neither has the class."""
        hit = np.diagonal(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hit
        with np.errstate(invalid="ignore"):
            return np.asarray((hit / union)[:-1], np.float64)

    def miou(self) -> float:
        """Mean of :meth:`iou` over the classes that occur; NaN where none does."""
        known = self.iou()[~np.isnan(self.iou())]
        return float(known.mean()) if known.size else float("nan")

    def agreement(self) -> float:
        """Share of the pixels (void on both sides left out) with the same class on both sides; NaN without any."""
        both_void = self.counts[-1, -1]
        counted = self.counts.sum() - both_void
        return float((np.trace(self.counts) - both_void) / counted) if counted else float("nan")
