"""The plot of a study: every run a dot, every policy its mean and sample standard deviation."""

from __future__ import annotations

import io
from collections.abc import Mapping
from statistics import fmean, stdev

from matplotlib.figure import Figure

WIDTHS = (7.0, 4.0)
"""Of the figure's first part, which names the policies, and of each further one, inches."""


def study_plot(scores: Mapping[str, Mapping[str, Mapping[int, float]]]) -> bytes:
    """A PNG with one part for each score and one row for each policy, the best by the first score at the top.

    Args:
        scores: score (0..1) by seed, by policy, by name of the score; policies without a run are left out.
    """
    first = next(iter(scores.values()))
    names = [name for _, name in sorted((fmean(values.values()), name) for name, values in first.items() if values)]
    size = (WIDTHS[0] + WIDTHS[1] * (len(scores) - 1), 1.2 + 0.45 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, (metric, by_policy) in zip(parts, scores.items(), strict=True):
        for height, name in enumerate(names):
            values = [100 * value for value in by_policy[name].values()]
            spread = stdev(values) if len(values) > 1 else 0.0
            axes.errorbar(fmean(values), height, xerr=spread, fmt="D", color="#1f5fa8", capsize=4, markersize=6)
            axes.plot(values, [height] * len(values), "o", color="#7a7a7a", alpha=0.7, markersize=4)
        axes.set_xlabel(f"{metric}, percent")
        axes.grid(axis="x", alpha=0.3)
    parts[0].set_yticks(range(len(names)), names)
    parts[0].set_ylim(-0.6, len(names) - 0.4)
    figure.supxlabel("runs (dots), mean and sample standard deviation", fontsize="medium")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
