"""Whether confidence tells right from wrong: AUROC, expected calibration error, from histograms of right and wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seglift.metrics.confusion import joint_histogram

BINS = 15
"""Equal-width bins of the calibration error, as in Guo et al."""
_IGNORE = 255
_WRONG, _RIGHT = range(2)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Pixels by confidence, wrong and right ones apart; those of several images or processes add up.

    Confidence is 0..255 = 0..1, so the histograms lose nothing and every score is exact.

    Attributes:
        counts: int64 [2, 256]; row 0 wrong, row 1 right pixels.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[0, 0, 1, 1, 255]], np.uint8)
        >>> prediction = np.array([[0, 0, 1, 0, 0]], np.uint8)
        >>> confidence = np.array([[255, 204, 51, 51, 0]], np.uint8)
        >>> calibration = Calibration.empty()
        >>> calibration.update(confidence, prediction, truth)
        >>> calibration.pixels, calibration.accuracy(), calibration.mean()
        (4, 0.75, 0.55)
        >>> round(calibration.auroc(), 4), round(calibration.calibration_error(), 4)
        (0.8333, 0.2)
        >>> (calibration + calibration).pixels
        8
    """

    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.counts.shape != (2, 256):
            raise ValueError(f"counts must be [2, 256], got {self.counts.shape}")

    @classmethod
    def empty(cls) -> Self:
        """No pixel counted yet."""
        return cls(np.zeros((2, 256), np.int64))

    def update(self, confidence: NDArray[np.uint8], prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Adds the pixels of one image (or a batch) in place.

        Args:
            confidence: uint8 [H, W], 0..255 = 0..1.
            prediction: uint8, same shape, train ids; 255 = no class, which is wrong wherever ``truth`` has a class.
            truth: uint8, same shape, train ids, 255 = left out.

        Raises:
            ValueError: not three uint8 maps of one shape.
        """
        maps = (confidence, prediction, truth)
        if len({values.shape for values in maps}) != 1 or any(values.dtype != np.uint8 for values in maps):
            shown = ", ".join(f"{values.dtype} {values.shape}" for values in maps)
            raise ValueError(f"confidence, prediction and truth must be uint8 of one shape, got {shown}")
        outcome = np.where(truth == _IGNORE, np.uint8(_IGNORE), (prediction == truth).view(np.uint8))
        self.counts[:] += joint_histogram(outcome, confidence)[[_WRONG, _RIGHT]]

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.counts + other.counts)

    @property
    def pixels(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())

    def auroc(self) -> float:
        """Area under the ROC curve of low confidence as a detector of wrong pixels, 0..1; 0.5 tells nothing.

        The probability that a wrong pixel has lower confidence than a right one, ties counting one half; NaN where
        nothing is wrong or nothing right.
        """
        wrong, right = (row.tolist() for row in self.counts)  # Python's integers: the products exceed 64 bits
        if not sum(wrong) or not sum(right):
            return float("nan")
        doubled, above = 0, sum(right)
        for false, true in zip(wrong, right, strict=True):
            above -= true
            doubled += false * (2 * above + true)
        return float(doubled / (2 * sum(wrong) * sum(right)))

    def calibration_error(self, bins: int = BINS) -> float:
        """Expected calibration error, 0..1; NaN without pixels (Guo et al., ICML 2017, equation 3).

        The difference between mean confidence and accuracy of each bin, averaged by the bins' numbers of pixels. Bin m
        of M holds confidence in ((m-1)/M, m/M], the first one 0 as well.

        Args:
            bins: M, at least 1.
        """
        if bins < 1:
            raise ValueError(f"the calibration error needs one bin at least, got {bins}")
        levels = np.arange(256)
        bin_of = np.maximum(-(-levels * bins // 255) - 1, 0)
        surplus = levels * self.counts.sum(axis=0) - 255 * self.counts[_RIGHT]
        by_bin = np.bincount(bin_of, weights=surplus, minlength=bins)
        return float(np.abs(by_bin).sum() / (255 * self.pixels)) if self.pixels else float("nan")

    def accuracy(self) -> float:
        """Share of right pixels, 0..1; NaN without pixels."""
        return float(self.counts[_RIGHT].sum() / self.pixels) if self.pixels else float("nan")

    def mean(self) -> float:
        """Mean confidence, 0..1; NaN without pixels."""
        total = (self.counts.sum(axis=0) * np.arange(256)).sum()
        return float(total / (255 * self.pixels)) if self.pixels else float("nan")
