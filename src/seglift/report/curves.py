"""Curves of a training: loss, learning rate and validation scores by step."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SMOOTHED_POINTS = 200


def training_curves(steps: Sequence[int], columns: Mapping[str, Sequence[float | None]]) -> bytes:
    """A PNG with one panel for each column that has a value.

    Args:
        steps: steps done, ascending.
        columns: values by name, as long as ``steps``; None where nothing was measured at that step.
    """
    shown = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    figure = Figure(figsize=(7.0, 2.2 * max(len(shown), 1)), layout="constrained")
    for number, (name, values) in enumerate(shown.items()):
        axes = figure.add_subplot(len(shown), 1, number + 1)
        points = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        _draw(axes, name, points)
        axes.set_xlabel("steps" if number == len(shown) - 1 else "")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _draw(axes: Axes, name: str, points: Sequence[tuple[int, float]]) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    window = max(1, len(points) // SMOOTHED_POINTS)
    if name == "loss" and window > 1:
        axes.plot(xs, ys, color="#c9d6e6", linewidth=0.7)
        ys = [sum(ys[max(0, n - window) : n + 1]) / (n + 1 - max(0, n - window)) for n in range(len(ys))]
    axes.plot(xs, ys, color="#1f5fa8", linewidth=1.4, marker="o" if len(points) < 40 else None, markersize=3)
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)
