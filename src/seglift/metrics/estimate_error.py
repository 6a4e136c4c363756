"""How near estimates of a frame's score come to the score: mean absolute error, bias, correlation over frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class EstimateError:
    """Moments of (estimate, truth) over frames; those of several parts or processes add up (Chan et al., 1983).

    Attributes:
        frames: how many.
        absolute_error: sum of |estimate - truth|.
        mean_estimate: mean of the estimates, 0 without frames.
        mean_truth: mean of the true values, 0 without frames.
        squares: sums of squared deviations of estimate and of truth from their means, and of the products of both.

    Example:
        >>> error = EstimateError.of(0.75, 0.5) + EstimateError.of(0.5, 0.5) + EstimateError.of(1.0, 0.75)
        >>> error.frames, round(error.mean_absolute_error(), 4), round(error.bias(), 4), round(error.correlation(), 4)
        (3, 0.1667, 0.1667, 0.866)
    """

    frames: int = 0
    absolute_error: float = 0.0
    mean_estimate: float = 0.0
    mean_truth: float = 0.0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, estimate: float, truth: float) -> Self:
        """One frame's estimate and true value."""
        return cls(1, abs(estimate - truth), estimate, truth)

    def __add__(self, other: EstimateError) -> EstimateError:
        frames = self.frames + other.frames
        share = other.frames / frames if frames else 0.0
        by_estimate, by_truth = other.mean_estimate - self.mean_estimate, other.mean_truth - self.mean_truth
        between = (by_estimate * by_estimate, by_truth * by_truth, by_estimate * by_truth)
        moments = zip(self.squares, other.squares, between, strict=True)
        estimate, truth, product = (a + b + self.frames * share * c for a, b, c in moments)
        return EstimateError(
            frames,
            self.absolute_error + other.absolute_error,
            self.mean_estimate + share * by_estimate,
            self.mean_truth + share * by_truth,
            (estimate, truth, product),
        )

    def mean_absolute_error(self) -> float:
        """Mean of |estimate - truth|; NaN without frames."""
        return self.absolute_error / self.frames if self.frames else math.nan

    def bias(self) -> float:
        """Mean of estimate - truth, above 0 where the estimate is too optimistic; NaN without frames."""
        return self.mean_estimate - self.mean_truth if self.frames else math.nan

    def correlation(self) -> float:
        """Pearson's correlation, -1..1; NaN where estimates or true values do not vary."""
        estimate, truth, product = self.squares
        if not estimate > 0 or not truth > 0:
            return math.nan
        return max(-1.0, min(1.0, product / (math.sqrt(estimate) * math.sqrt(truth))))
