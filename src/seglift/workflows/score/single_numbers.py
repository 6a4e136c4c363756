"""Those scores of ``scores.json`` that are one number, larger being better: what runs are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SingleNumber:
    """A score.

    Attributes:
        title: its name for people.
        place: keys of ``scores.json`` under which it lies.
    """

    title: str
    place: tuple[str, ...]

    def of(self, scores: Mapping[str, Any]) -> float | None:
        """The number, 0..1; None where the scores have none.

        Args:
            scores: contents of ``scores.json``.
        """
        value: Any = scores
        for key in self.place:
            value = value.get(key) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) else None


SINGLE_NUMBERS = {
    "miou": SingleNumber("mIoU", ("miou",)),
    "pixel_accuracy": SingleNumber("pixel accuracy", ("pixel_accuracy",)),
    "mean_accuracy": SingleNumber("mean accuracy", ("mean_accuracy",)),
    "boundary_f": SingleNumber("boundary F", ("boundary_f",)),
    "pq": SingleNumber("PQ", ("panoptic", "pq")),
    "pq_things": SingleNumber("PQ things", ("panoptic", "things", "pq")),
    "pq_stuff": SingleNumber("PQ stuff", ("panoptic", "stuff", "pq")),
    "ap": SingleNumber("AP", ("instances", "ap")),
    "ap50": SingleNumber("AP50", ("instances", "ap50")),
}
"""By the name that recipes and files use."""
