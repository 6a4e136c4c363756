"""Where the numbers of a chart lie: columns of frames, the horizontal axis, a round range of fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1000.0
MAX_COLUMNS = 500


@dataclass(frozen=True)
class Column:
    """One or several neighbouring frames of a series: centre frame, lowest, mean and highest value."""

    x: float
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Axis:
    """Horizontal axis: lowest and highest x, labelled positions, and marked positions (keyframes, scene cuts)."""

    first: float
    last: float
    ticks: Sequence[tuple[float, str]]
    marks: Sequence[float] = ()
    cuts: Sequence[float] = ()

    def place(self, x: float) -> float:
        """Position of ``x`` in the box, 0..WIDTH."""
        span = self.last - self.first
        return WIDTH * (x - self.first) / span if span > 0 else WIDTH / 2


def frame_axis(count: int, keyframes: Sequence[int], cuts: Sequence[int] = (), number: int = 0) -> Axis:
    """The axis of a clip of ``count`` frames, frame 0 to the last one; a cut lies just before the frame it names.

    Frame 0 is labelled ``number``, the others by counting on.
    """
    last = count - 1
    step = _round_step(last / 5)
    # The last frame always has its number, so a tick close to it would collide.
    ticks = [index for index in range(0, last, step) if last - index > step / 2]
    return Axis(
        0, last, [(index, str(index + number)) for index in (*ticks, last)], keyframes, [cut - 0.5 for cut in cuts]
    )


def columns_of(values: Sequence[float | None]) -> list[Column | None]:
    """A series over frames as at most :data:`MAX_COLUMNS` columns; None where no frame of a column has a value."""
    width = max(1, math.ceil(len(values) / MAX_COLUMNS))
    columns: list[Column | None] = []
    for start in range(0, len(values), width):
        part = [value for value in values[start : start + width] if value is not None]
        centre = start + (min(width, len(values) - start) - 1) / 2
        columns.append(Column(centre, min(part), sum(part) / len(part), max(part)) if part else None)
    return columns


def value_range(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """A range of whole tens of percent around fractions, at least a fifth wide, with three to six ticks."""
    low = math.floor(10 * min(values, default=0.0) + 1e-9)
    high = math.ceil(10 * max(values, default=1.0) - 1e-9)
    low, high = max(0, min(low, high - 2)), max(high, 2)
    step = 1 if high - low <= 4 else 2 if high - low <= 8 else 5
    low -= low % step
    high = min(10, high + -high % step) if step != 5 else 10
    return low / 10, high / 10, [tick / 10 for tick in range(low, high + 1, step)]


def _round_step(wanted: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is at least ``wanted``."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if power * factor >= wanted:
                return power * factor
        power *= 10
