"""What to annotate next, as a person reads it and as programs do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seglift.workflows.score.text import render_table

NARROWEST = 100


@dataclass(frozen=True)
class Suggestion:
    """One image or frame.

    Attributes:
        file: the image; of a clip the label that was made for the frame.
        why: a few words for a person.
        about: the same for programs.
    """

    file: str
    why: str
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Suggestions:
    """What to annotate next, the most urgent first.

    Attributes:
        items: in this order.
        minutes: that one of them takes.
        available: from how many they were chosen.
        what: names these, in the plural.
        order: by what they were ranked, a few words.
        about: more for programs.
        balance: images with each class: labelled ones, and with the suggested ones as predicted; None where not known.
        note: what a person should know of them, empty for nothing.
        before: names of the labelled images, in their order.
    """

    items: tuple[Suggestion, ...]
    minutes: float
    available: int
    what: str
    order: str
    about: Mapping[str, Any] = field(default_factory=dict)
    balance: Mapping[str, tuple[int, int]] | None = None
    note: str = ""
    before: tuple[str, ...] = ()

    @property
    def in_order(self) -> tuple[str, ...]:
        """Names of the labelled images, then of those to label next: a list of which every longer one is a sequel."""
        return (*self.before, *(str(item.about["stem"]) for item in self.items))

    @property
    def hours(self) -> float:
        """Hours that all of them take."""
        return len(self.items) * self.minutes / 60.0

    def as_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        rows = [
            {"rank": rank, "file": item.file, "minutes": self.minutes, **item.about}
            for rank, item in enumerate(self.items, 1)
        ]
        balance = {}
        if self.balance is not None:
            counts = {name: {"labelled": old, "with_suggested": new} for name, (old, new) in self.balance.items()}
            balance = {"classes": counts}
        totals = {"count": len(rows), "available": self.available, "minutes_per_label": self.minutes}
        return {**totals, "hours": self.hours, "suggestions": rows, **self.about, **balance}


def format_suggestions(found: Suggestions) -> str:
    """The table of what to annotate, with its hours, and of classes where these are known."""
    each = found.minutes / 60.0
    rows = [
        [item.file, str(rank), item.why, f"{each:.2f}", f"{rank * each:.2f}"]
        for rank, item in enumerate(found.items, 1)
    ]
    title = (
        f"{len(rows)} of {found.available} {found.what}, {found.order};"
        f" {found.hours:.1f} hours at {found.minutes:g} minutes each"
    )
    header = ["label next", "rank", "why", "hours", "in all"]
    tables = [title, render_table("", header, rows, _width([header, *rows]))]
    if found.balance is not None:
        counts = [[name, str(old), str(new)] for name, (old, new) in found.balance.items()]
        tables.append(render_table("images with each class", ["class", "labelled", "and suggested"], counts))
    return "\n\n".join([*tables, *[found.note] * bool(found.note)])


def _width(rows: list[list[str]]) -> int:
    """Room for the longest cell of each column, so that no name is broken."""
    return max(NARROWEST, sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)))
