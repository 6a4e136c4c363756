"""The plot of a study: every run a dot, every policy its mean and sample standard deviation."""

from __future__ import annotations

import io
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from matplotlib.figure import Figure

PART, LETTER = 4.0, 0.085
"""Width of the part of each score, and of a letter of the names beside the first one, inches."""

RUN: dict[str, Any] = {"markeredgecolor": "#333333", "markeredgewidth": 0.5, "markersize": 4, "zorder": 3}
"""The look of a run, above that of the mean."""


def study_plot(scores: Mapping[str, Mapping[str, Mapping[int, float]]]) -> bytes:
    """A PNG with one part for each score and one row for each policy, the first at the top.

    Args:
        scores: score (0..1) by seed, by policy, by name of the score; policies without a run are left out.
    """
    first = next(iter(scores.values()))
    names = [name for name, values in first.items() if values]
    size = (PART * len(scores) + LETTER * max(map(len, names)) + 0.4, 1.2 + 0.4 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, (metric, by_policy) in zip(parts, scores.items(), strict=True):
        for height, name in enumerate(names):
            values = [100 * value for value in by_policy[name].values()]
            spread = stdev(values) if len(values) > 1 else 0.0
            axes.errorbar(fmean(values), height, xerr=spread, fmt="D", color="#1f5fa8", capsize=5, markersize=7)
            axes.plot(values, [height] * len(values), "o", color="#f0a030", **RUN)
        axes.set_xlabel(f"{metric}, percent")
        axes.grid(alpha=0.3)
    parts[0].set_yticks(range(len(names)), names)
    parts[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel("runs (dots), mean and sample standard deviation", fontsize="medium")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
