"""How many labels are asked for: as a number, or as the hours there are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.datasets.annotation_cost import FINE, MINUTES, labels_within
from seglift.report.selection import LABEL_NEXT


@dataclass(frozen=True)
class Budget:
    """What there is to spend.

    Attributes:
        count: number of labels; without it and ``hours`` at most as many as a report names.
        hours: a person's hours, in place of ``count``.
        minutes: that one label takes.
    """

    count: int | None = None
    hours: float | None = None
    minutes: float = MINUTES[FINE]

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.count is not None and self.hours is not None:
            raise UserError("--count and --hours both say how much to label; give one of them")
        if self.count is not None and self.count < 1:
            raise UserError(f"--count {self.count}, expected at least 1; change it")
        if self.hours is not None and not (math.isfinite(self.hours) and self.hours > 0):
            raise UserError(f"--hours {self.hours:g}, expected a number above 0; change it")

    def labels(self, available: int, what: str, usual: int = LABEL_NEXT) -> int:
        """How many labels that is.

        Args:
            available: how many there are to choose from.
            what: names them, in the plural, for the error.
            usual: how many where nothing is said, if no more than a report names.

        Raises:
            UserError: more than there are, or too few hours for one.
        """
        if self.hours is None:
            count = min(LABEL_NEXT, usual, available) if self.count is None else self.count
            asked = f"--count {count}"
        else:
            count = labels_within(self.hours, self.minutes)
            asked = f"--hours {self.hours:g} is enough for {counted(count, 'label')} of {self.minutes:g} minutes"
        if count > available:
            raise UserError(f"{asked}, there are {available} {what}; none is chosen, ask for at most {available}")
        if count < 1:
            if self.hours is None:
                raise UserError(f"there are no {what}; all is labelled")
            raise UserError(f"{asked}; give more hours or a smaller --minutes-per-label")
        return count


def parse_minutes(text: str) -> float:
    """Minutes as a number, or by the name of a published rate.

    Raises:
        UserError: neither.
    """
    if text in MINUTES:
        minutes = MINUTES[text]
    else:
        try:
            minutes = float(text)
        except ValueError:
            minutes = -1.0
    if not math.isfinite(minutes) or minutes <= 0:
        known = ", ".join(f"{name} ({value:g})" for name, value in MINUTES.items() if value > 0)
        raise UserError(f"--minutes-per-label is {text!r}, expected minutes above 0 or one of {known}; change it")
    return minutes
