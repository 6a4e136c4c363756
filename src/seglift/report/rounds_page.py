"""The report of rounds of training: scores by round, and labels of the same frames by round, on one page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from seglift.base.files import atomic_path
from seglift.labels.space import LabelSpace
from seglift.report.axis import Axis, Column
from seglift.report.contents import Array8
from seglift.report.figures import Line, css_color, line_chart
from seglift.report.layers import distinct_colors, image_uri, labels_uri, thumbnail_size
from seglift.report.template import get_template

LONG_SIDE = 400
MOST_NAMED = 7
"""Networks whose names have room side by side below the curves."""


@dataclass(frozen=True)
class Snapshot:
    """One frame and what it was labelled as.

    Attributes:
        name: of the frame.
        image: uint8 [H, W, 3] RGB.
        labels: title and uint8 [H, W] space index, in the order of the rounds.
    """

    name: str
    image: Array8
    labels: Sequence[tuple[str, Array8]]


@dataclass(frozen=True)
class RoundsSummary:
    """Everything on the page but the pictures.

    Attributes:
        command: that did the rounds.
        title: of the page.
        summary: facts below it, short ones.
        space: label space of the labels.
        models: the networks, in the order of the rounds.
        table: heads and rows of the scores.
        curves: mean score (0..1, None: not scored) of each of ``models``, by the score's name.
        classes: IoU (0..1, None: absent) of each class for each of ``models``.
        settings: further facts, by name.
        about_scores: a sentence or two above the scores.
        about_labels: the same above the pictures.

    Raises:
        ValueError: a curve or class has not one value for each of ``models``.
    """

    command: str
    title: str
    summary: Sequence[str]
    space: LabelSpace
    models: Sequence[str]
    table: tuple[Sequence[str], Sequence[Sequence[str]]]
    curves: Mapping[str, Sequence[float | None]]
    classes: Mapping[str, Sequence[float | None]]
    settings: Mapping[str, str]
    about_scores: str
    about_labels: str

    def __post_init__(self) -> None:
        for name, values in (*self.curves.items(), *self.classes.items()):
            if len(values) != len(self.models):
                raise ValueError(f"{name} has {len(values)} values, expected one for each of {len(self.models)} models")


def write_rounds_page(path: Path, summary: RoundsSummary, snapshots: Iterable[Snapshot]) -> None:
    """Writes the page to ``path``, atomically; equal input gives equal bytes.

    Args:
        path: of the HTML file.
        summary: everything but the pictures.
        snapshots: frames, each asked for once.

    Raises:
        UserError: the file cannot be written.
    """
    colors = distinct_colors([entry.color for entry in summary.space.classes])
    chunks = get_template("rounds.html.j2").generate(
        summary=summary,
        chart=_chart(summary),
        classes=[(name, [_percent(value) for value in values]) for name, values in summary.classes.items()],
        legend=[(entry.name, css_color(color)) for entry, color in zip(summary.space.classes, colors, strict=True)],
        snapshots=_pictures(snapshots, colors),
    )
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
    ):
        for chunk in chunks:
            file.write(chunk)


def _chart(summary: RoundsSummary) -> Markup | None:
    """The curves; None where nothing is scored."""
    given = {name: values for name, values in summary.curves.items() if any(value is not None for value in values)}
    if not given:
        return None
    lines = [
        Line(name, [None if value is None else Column(x, value, value, value) for x, value in enumerate(values)])
        for name, values in given.items()
    ]
    # Half a step is left at both ends, where the words are wider than a point.
    count = len(summary.models)
    axis = Axis(-0.5, count - 0.5, list(enumerate(summary.models))[:: math.ceil(count / MOST_NAMED)])
    return line_chart(lines, axis, f"{' and '.join(given)} by round; the numbers are in the table", dots=True)


def _pictures(
    snapshots: Iterable[Snapshot], colors: Sequence[tuple[int, int, int]]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Name of each frame, and title and data URI of its pictures."""
    for shot in snapshots:
        size = thumbnail_size(shot.image.shape[0], shot.image.shape[1], LONG_SIDE)
        labels = [(title, labels_uri(labels, colors, size)) for title, labels in shot.labels]
        yield shot.name, [("frame", image_uri(shot.image, size)), *labels]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
