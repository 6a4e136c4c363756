"""Charts as inline SVG that the page's script can make clickable.

Every plot is drawn in a box of 1000 x 100 that stretches to the width of the page; strokes and words keep their size,
because strokes do not scale and all words are HTML beside the box.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from seglift.report.axis import WIDTH, Axis, Column, columns_of, value_range
from seglift.report.layers import Color

HEIGHT = 100.0
LINE_STYLES = 4

LINE_KEY = Markup('<svg class="key" viewBox="0 0 28 10" aria-hidden="true"><path class="line s{}" d="M1 5H27"/></svg>')
BAND_KEY = Markup('<span class="swatch" style="background:{}"></span>')
CUT_KEY = Markup('<svg class="key tall" viewBox="0 0 9 14" aria-hidden="true"><path class="cut" d="M5 0V14"/></svg>')
MARK_KEY = Markup('<svg class="key tall" viewBox="0 0 9 14" aria-hidden="true"><path class="mark" d="M5 0V14"/></svg>')


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name and columns, x ascending, values 0..1; None is a gap."""

    name: str
    columns: Sequence[Column | None]


def line_chart(lines: Sequence[Line], axis: Axis, description: str, dots: bool = False) -> Markup:
    """Fractions over frames or over distance; where a column holds several frames their range is shaded.

    Args:
        lines: told apart by colour and by dashes; lines without any value are left out.
        axis: where frames or distances lie.
        description: read out instead of the picture.
        dots: mark every point.
    """
    lines = [line for line in lines if any(column is not None for column in line.columns)]
    values = [value for line in lines for column in line.columns if column for value in (column.low, column.high)]
    low, high, ticks = value_range(values)

    def height(value: float) -> float:
        return HEIGHT * (high - value) / (high - low)

    drawn = []
    for number, line in enumerate(lines):
        for run in _runs(line.columns):
            top = [(axis.place(column.x), height(column.high)) for column in run]
            bottom = [(axis.place(column.x), height(column.low)) for column in run]
            middle = [(axis.place(column.x), height(column.mean)) for column in run]
            style = f"s{number % LINE_STYLES}"
            if top != bottom:
                drawn.append(Markup('<path class="range {}" d="{}Z"/>').format(style, _path([*top, *reversed(bottom)])))
            drawn.append(Markup('<path class="line {}" d="{}"/>').format(style, _path(middle)))
            if dots or len(run) == 1:
                points = "".join(f"M{x:.1f} {y:.2f}h0" for x, y in middle)
                drawn.append(Markup('<path class="dots {}" d="{}"/>').format(style, points))
    legend = [(LINE_KEY.format(number % LINE_STYLES), line.name) for number, line in enumerate(lines)]
    places = [(height(tick), f"{100 * tick:.0f}\u00a0%") for tick in ticks]
    return _figure(Markup("").join(drawn), axis, places, legend, description)


def stacked_chart(
    shares: Sequence[Sequence[float]], names: Sequence[str], colors: Sequence[Color], axis: Axis, description: str
) -> Markup:
    """Shares (each frame's add up to 1) as bands over frames, the first name at the bottom.

    Args:
        shares: one row per frame, one share 0..1 per name.
        names: of the bands; those without any share are left out.
        colors: of the bands.
        axis: of the clip.
        description: read out instead of the picture.
    """
    floor: list[float] | None = None
    drawn, legend = [], []
    for band, (name, color) in enumerate(zip(names, colors, strict=True)):
        columns = [column for column in columns_of([row[band] for row in shares]) if column]
        if not any(column.high > 0 for column in columns):
            continue
        floor = floor or [0.0] * len(columns)
        top = [below + column.mean for below, column in zip(floor, columns, strict=True)]
        outline = [*_steps(columns, top, axis), *reversed(_steps(columns, floor, axis))]
        drawn.append(Markup('<path fill="{}" d="{}Z"/>').format(css_color(color), _path(outline)))
        legend.append((BAND_KEY.format(css_color(color)), name))
        floor = top
    places = [(HEIGHT - tick, f"{tick}\u00a0%") for tick in (0, 50, 100)]
    return _figure(Markup("").join(drawn), axis, places, legend, description)


def css_color(color: Color) -> str:
    """RGB as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def _steps(columns: Sequence[Column], values: Sequence[float], axis: Axis) -> list[tuple[float, float]]:
    """Outline of bars without gaps: each column reaches half way to its neighbours."""
    centres = [column.x for column in columns]
    borders = [axis.first, *((a + b) / 2 for a, b in itertools.pairwise(centres)), axis.last]
    points = []
    for (left, right), value in zip(itertools.pairwise(borders), values, strict=True):
        y = HEIGHT * (1 - min(value, 1.0))
        points += [(axis.place(left), y), (axis.place(right), y)]
    return points if axis.last > axis.first else [(0.0, points[0][1]), (WIDTH, points[0][1])]


def _runs(columns: Iterable[Column | None]) -> list[list[Column]]:
    """Columns cut at the gaps."""
    runs: list[list[Column]] = [[]]
    for column in columns:
        if column is not None:
            runs[-1].append(column)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.2f}" for x, y in points)


def _figure(
    drawing: Markup,
    axis: Axis,
    places: Sequence[tuple[float, str]],
    legend: Sequence[tuple[Markup, str]],
    description: str,
) -> Markup:
    """The drawing with grid, marks of keyframes and scene cuts, cursor, words of both axes and legend."""
    grid = "".join(f"M0 {y:.2f}H{WIDTH:.0f}" for y, _ in places)
    marks = "".join(f"M{axis.place(mark):.1f} 0V{HEIGHT:.0f}" for mark in axis.marks)
    cuts = "".join(f"M{axis.place(cut):.1f} 0V{HEIGHT:.0f}" for cut in axis.cuts)
    if axis.marks:
        legend = [*legend, (MARK_KEY, "keyframe")]
    if axis.cuts:
        legend = [*legend, (CUT_KEY, "scene cut")]
    join = Markup("").join
    return Markup(
        '<figure class="chart"><div class="plot" data-first="{}" data-last="{}"><svg viewBox="0 0 1000 100"'
        ' preserveAspectRatio="none" role="img" aria-label="{}"><path class="grid" d="{}"/>{}'
        '<path class="mark" d="{}"/><path class="cut" d="{}"/><path class="cursor" d=""/></svg>{}{}</div>'
        '<figcaption class="legend">{}</figcaption></figure>'
    ).format(
        f"{axis.first:g}",
        f"{axis.last:g}",
        description,
        grid,
        drawing,
        marks,
        cuts,
        join(Markup('<span class="y" style="top:{}%">{}</span>').format(f"{y:.2f}", text) for y, text in places),
        join(
            Markup('<span class="x" style="left:{}%">{}</span>').format(f"{axis.place(x) / 10:.2f}", text)
            for x, text in axis.ticks
        ),
        join(Markup("<span>{}{}</span>").format(key, name) for key, name in legend),
    )
