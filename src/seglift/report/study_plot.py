"""The plot of a study: every run a dot, every policy its mean and sample standard deviation."""

from __future__ import annotations

import io
from collections.abc import Mapping
from statistics import fmean, stdev

from matplotlib.figure import Figure


def study_plot(scores: Mapping[str, Mapping[int, float]], metric: str) -> bytes:
    """A PNG with one row for each policy, best at the top.

    Args:
        scores: score (0..1) by seed, by policy; policies without a run are left out.
        metric: name of the score, for the axis.
    """
    rows = sorted((fmean(values.values()), name) for name, values in scores.items() if values)
    figure = Figure(figsize=(7.0, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for height, (mean, name) in enumerate(rows):
        values = [100 * value for value in scores[name].values()]
        spread = stdev(values) if len(values) > 1 else 0.0
        axes.errorbar(100 * mean, height, xerr=spread, fmt="D", color="#1f5fa8", capsize=4, markersize=6)
        axes.plot(values, [height] * len(values), "o", color="#7a7a7a", alpha=0.7, markersize=4)
    axes.set_yticks(range(len(rows)), [name for _, name in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"{metric}, percent: runs (dots), mean and sample standard deviation")
    axes.grid(axis="x", alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
