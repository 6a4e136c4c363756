"""The plot of a study over hours of annotation.

As figure 3 of Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PART, LETTER, LINE = (5.6, 4.2), 0.085, 0.24
"""Width and height of the part of each score, width of a letter and height of a line of the legend, inches."""
MARKERS = "osD^vP"
MOST_TICKED = 1000
"""Of the largest and smallest budget the ratio up to which all round numbers between are told."""
SHADES = 10
"""Colours before they come again, with another marker."""


@dataclass(frozen=True)
class BudgetScores:
    """One score over hours.

    Attributes:
        metric: name of the score for people.
        lines: by name of the line: hours, and the scores (0..1) of the runs at that budget, by rising hours.
        level: name of a policy that is drawn for all hours, and the scores of its runs; None without.
    """

    metric: str
    lines: Mapping[str, Sequence[tuple[float, Sequence[float]]]]
    level: tuple[str, Sequence[float]] | None = None


def budget_plot(parts: Sequence[BudgetScores]) -> bytes:
    """A PNG with one part for each score: mean and sample standard deviation over hours, on a logarithmic axis.

    Hours of 0 are drawn at its left end, left of the smallest budget. A line looks the same in all parts, and one
    legend beside them names it.
    """
    names = list(dict.fromkeys(name for part in parts for name in part.lines))
    levels = [part.level[0] for part in parts if part.level is not None]
    beside = LETTER * max(map(len, (*names, *levels))) + 0.9
    height = max(PART[1], LINE * (len(names) + bool(levels)) + 0.4)
    figure = Figure(figsize=(PART[0] * len(parts) + beside, height), layout="constrained")
    drawn: dict[str, Artist] = {}
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        _draw(axes, part, names)
        handles, labels = axes.get_legend_handles_labels()
        drawn |= dict(zip(labels, handles, strict=True))
    shown = [name for name in dict.fromkeys((*names, *levels)) if name in drawn]
    figure.legend([drawn[name] for name in shown], shown, loc="outside right upper")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _draw(axes: Axes, part: BudgetScores, names: Sequence[str]) -> None:
    """Draws a part, each line in the look of its place in ``names``."""
    for name, points in part.lines.items():
        hours = [budget for budget, _ in points]
        means = [100 * fmean(scores) for _, scores in points]
        turn, shade = divmod(names.index(name), SHADES)
        color, marker = f"C{shade}", MARKERS[turn % len(MARKERS)]
        spreads = [_spread(scores) for _, scores in points]
        axes.errorbar(hours, means, yerr=spreads, capsize=3, label=name, color=color, marker=marker)
    if part.level is not None:
        name, scores = part.level
        mean, spread = 100 * fmean(scores), _spread(scores)
        axes.axhline(mean, color="#555555", linestyle="--", label=name)
        axes.axhspan(mean - spread, mean + spread, color="#555555", alpha=0.15, linewidth=0)
    budgets = [budget for points in part.lines.values() for budget, _ in points]
    positive = [budget for budget in budgets if budget > 0]
    if positive and min(budgets) <= 0:
        axes.set_xscale("symlog", linthresh=min(positive))
    elif positive:
        axes.set_xscale("log")
    if positive:
        axes.set_xticks([*([0.0] if min(budgets) <= 0 else []), *_round_numbers(min(positive), max(positive))])
        axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("hours of annotation")
    axes.set_ylabel(f"{part.metric}, percent: mean and s.d.")
    axes.grid(alpha=0.3)


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, ... from the last one that is at most ``low`` to the first one that is at least ``high``.

    Only powers of ten where there would be too many.
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high < MOST_TICKED * low else (1,)
    every = [float(f"{factor}e{power}") for power in powers for factor in factors]
    first = max((tick for tick in every if tick <= low), default=low)
    last = min((tick for tick in every if tick >= high), default=high)
    return [tick for tick in every if first <= tick <= last]


def _spread(scores: Sequence[float]) -> float:
    return 100 * stdev(scores) if len(scores) > 1 else 0.0
