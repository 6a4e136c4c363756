"""What confidence and estimated mIoU were worth: compared with the ground truth of frames that no human drew."""

from __future__ import annotations

from dataclasses import dataclass

from seglift.base.counts import counted
from seglift.metrics.calibration import Calibration
from seglift.metrics.estimate_error import EstimateError
from seglift.workflows.score.text import number, percent


@dataclass(frozen=True)
class ConfidenceScores:
    """Statistics of some frames that no human drew; those of others add up.

    Attributes:
        calibration: of all pixels with ground truth.
        frames: how many.
    """

    calibration: Calibration
    frames: int

    def __add__(self, other: ConfidenceScores) -> ConfidenceScores:
        return ConfidenceScores(self.calibration + other.calibration, self.frames + other.frames)

    def as_json(self) -> dict[str, float | None]:
        """``confidence`` of ``score --json``: fractions 0..1 and pixels; null where there is nothing to score."""
        calibration = self.calibration
        return {
            "auroc": number(calibration.auroc()),
            "calibration_error": number(calibration.calibration_error()),
            "accuracy": number(calibration.accuracy()),
            "mean": number(calibration.mean()),
            "pixels": calibration.pixels,
        }

    def line(self) -> str:
        """For a person, in percent."""
        calibration = self.calibration
        return (
            f"confidence: AUROC {percent(calibration.auroc())}"
            f", calibration error {percent(calibration.calibration_error())}"
            f", accuracy {percent(calibration.accuracy())}, mean {percent(calibration.mean())}"
            f" ({counted(self.frames, 'frame')} that no human drew)"
        )


def estimate_json(error: EstimateError) -> dict[str, float | None]:
    """``estimated_miou`` of ``score --json``: fractions 0..1, bias and correlation -1..1, and the number of frames."""
    return {
        "mean_absolute_error": number(error.mean_absolute_error()),
        "bias": number(error.bias()),
        "correlation": number(error.correlation()),
        "frames": error.frames,
    }


def estimate_line(error: EstimateError) -> str:
    """For a person, in points of mIoU."""
    correlation = number(error.correlation())
    return (
        f"estimated mIoU: off by {percent(error.mean_absolute_error())} points on average, bias "
        f"{100 * error.bias():+.1f}, correlation {'absent' if correlation is None else f'{correlation:.2f}'}"
        f" ({counted(error.frames, 'frame')} that no human drew)"
    )
