"""Compact tables of label quality, in percent, and their plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from seglift.workflows.score.text import render_table

Parts = Mapping[str, Mapping[str, Any]]
"""What ``score --json`` says, by the name of the part."""
THIN = ("pole", "sign", "traffic sign", "traffic light")
"""Classes of which a pixel one off is a miss; named in the table where the space has them."""


def mean_miou(parts: Parts) -> float:
    """The mean over distances and parts, 0..1."""
    values = [row["miou"] for part in parts.values() for row in part["by_distance"].values()]
    return sum(values) / len(values)


def miou_at(parts: Parts, ignore: bool = False) -> dict[int, float]:
    """Of each distance mIoU 0..1, the mean over the parts; with ``ignore`` void is a class."""
    tables = [(part["with_ignore"] if ignore else part)["by_distance"] for part in parts.values()]
    return {int(key): sum(table[key]["miou"] for table in tables) / len(tables) for key in tables[0]}


def print_distances(title: str, rows: Mapping[str, Parts]) -> None:
    """Prints mIoU by distance, and with void as a class beside it."""
    distances = sorted({distance for parts in rows.values() for distance in miou_at(parts)})
    table = []
    for name, parts in rows.items():
        for ignore in (False, True) if _has_ignore(parts) else (False,):
            found = miou_at(parts, ignore)
            mean = sum(found.values()) / len(found)
            shown = [_percent(found.get(distance)) for distance in distances]
            table.append((f"{name}, with ignore" if ignore else name, *shown, _percent(mean)))
    print(render_table(f"{title}: mIoU by distance", ("", *map(str, distances), "mean"), table))


def print_numbers(title: str, rows: Mapping[str, Parts]) -> None:
    """Prints what is said of all frames pooled (the mean over the parts): a column for each setup."""
    first = next(part for parts in rows.values() for part in parts.values())
    paths: dict[str, tuple[str, ...]] = {"mIoU": ("miou",), "with ignore": ("with_ignore", "miou")}
    paths |= {"pixel accuracy": ("pixel_accuracy",), "boundary F": ("boundary_f",)}
    paths |= {f"thin: {name}": ("iou", name) for name in THIN if name in first["iou"]}
    paths |= {"ignore": ("with_ignore", "iou", "ignore"), "temporal consistency": ("temporal_consistency", "miou")}
    paths |= {"confidence AUROC": ("confidence", "auroc"), "calibration error": ("confidence", "calibration_error")}
    paths |= {"estimated mIoU off by": ("estimated_miou", "mean_absolute_error")}
    means = {name: [_mean(parts, path) for parts in rows.values()] for name, path in paths.items()}
    table = [(name, *map(_percent, values)) for name, values in means.items() if any(v is not None for v in values)]
    print(render_table(f"{title}: all frames pooled", ("", *rows), table))


def print_classes(title: str, rows: Mapping[str, Parts]) -> None:
    """IoU of every class, a row each, all frames pooled."""
    first = next(part for parts in rows.values() for part in parts.values())
    table = [
        (name, *(_percent(_mean(parts, ("iou", name))) for parts in rows.values()))
        for name in first["iou"]
        if any(_mean(parts, ("iou", name)) is not None for parts in rows.values())
    ]
    print(render_table(f"{title}: IoU by class", ("", *rows), table))


def write_plot(path: Path, protocols: Mapping[str, Mapping[str, Parts]]) -> None:
    """Draws mIoU by distance, one panel a protocol, one line a setup; dashed with void as a class."""
    figure = Figure(figsize=(5.2 * len(protocols), 4.2), layout="constrained")
    panels = figure.subplots(1, len(protocols), squeeze=False)[0]
    for axes, (title, rows) in zip(panels, protocols.items(), strict=True):
        for number, (name, parts) in enumerate(rows.items()):
            found = miou_at(parts)
            axes.plot(
                list(found),
                [100 * value for value in found.values()],
                "o-",
                label=name,
                markersize=3,
                color=f"C{number}",
            )
            if all("with_ignore" in part for part in parts.values()):
                found = miou_at(parts, ignore=True)
                axes.plot(list(found), [100 * value for value in found.values()], "--", color=f"C{number}", alpha=0.6)
        axes.set_title(title)
        axes.set_xlabel("frames to the keyframe (dashed: void is a class)")
        axes.set_ylabel("mIoU, percent")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _has_ignore(parts: Parts) -> bool:
    return all("with_ignore" in part for part in parts.values())


def _mean(parts: Parts, path: tuple[str, ...]) -> float | None:
    values = []
    for part in parts.values():
        value: Any = part
        for key in path:
            value = None if value is None else value.get(key)
        if value is not None:
            values.append(float(value))
    return sum(values) / len(values) if values else None


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
