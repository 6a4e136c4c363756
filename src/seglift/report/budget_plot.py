"""The plot of a study over hours of annotation.

As figure 3 of Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PART = (5.6, 4.2)
"""Width and height of the part of each score, inches."""


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

    Hours of 0 are drawn at its left end, left of the smallest budget.
    """
    figure = Figure(figsize=(PART[0] * len(parts), PART[1]), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        _draw(axes, part)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _draw(axes: Axes, part: BudgetScores) -> None:
    for name, points in part.lines.items():
        hours = [budget for budget, _ in points]
        means = [100 * fmean(scores) for _, scores in points]
        axes.errorbar(hours, means, yerr=[_spread(scores) for _, scores in points], marker="o", capsize=3, label=name)
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
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("hours of annotation")
    axes.set_ylabel(f"{part.metric}, percent: mean and s.d.")
    axes.grid(alpha=0.3)
    axes.legend()


def _spread(scores: Sequence[float]) -> float:
    return 100 * stdev(scores) if len(scores) > 1 else 0.0
