"""What ``seglift check`` found, as tables for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seglift.base.counts import counted
from seglift.datasets.files import count_note
from seglift.labels.space import IGNORE_TRAIN_ID
from seglift.workflows.check.item import OFFSETS
from seglift.workflows.check.run import DatasetCheck, SplitCheck
from seglift.workflows.score.run import render_table

_LISTED = 10
_SIZES = 4
_SHOWN_OFFSETS = (-10, -5, -2, -1, 1, 2, 5, 10)


def format_check(check: DatasetCheck) -> str:
    """Splits one after the other: numbers, neighbours, problems, class histogram."""
    parts = [_format_split(check.name, split) for split in check.splits]
    parts += [f"{check.name} {split}: not opened: {reason}" for split, reason in check.skipped.items()]
    return "\n\n".join(parts)


def check_as_json(check: DatasetCheck) -> dict[str, Any]:
    """All that was found; shares are fractions 0..1."""
    return {
        "dataset": check.name,
        "root": str(check.root),
        "splits": {split.dataset.split: _split_as_json(split) for split in check.splits},
        "not_opened": dict(check.skipped),
    }


def _format_split(name: str, check: SplitCheck) -> str:
    dataset = check.dataset
    sizes = [f"{width}x{height} ({count})" for (height, width), count in check.image_sizes.most_common(_SIZES)]
    if len(check.image_sizes) > _SIZES:
        sizes.append(f"{len(check.image_sizes) - _SIZES} more sizes")
    lines = [f"{name} {dataset.split}: {counted(len(dataset), 'image')}, {check.labelled} of them with label"]
    lines.append(f"sizes: {', '.join(sizes) or 'none known'}")
    lines.append(f"neighbours: {_neighbours(check)}")
    if check.objects:
        lines.append(f"instances: {counted(sum(check.objects), 'object')} in {counted(len(check.objects), 'file')}")
    missing = count_note(check.unlabelled, "image", "without a label")
    single = count_note(check.without_instances, "label", "without an instance file")
    lines += [f"note: {note}" for note in (*dataset.notes, missing, single) if note]
    lines += _problem_lines(check)
    if check.pixels.any():
        header = ("class", "id", "train id", "% of pixels", "images")
        lines.append(render_table(f"Classes of {dataset.space.name}", header, _class_rows(check)))
        absent = [dataset.space.train_names[train] for train in _absent(check)]
        if absent:
            lines.append(f"never labelled: {', '.join(absent)}")
    return "\n".join(lines)


def _neighbours(check: SplitCheck) -> str:
    found = [f"{offset:+d}: {check.neighbours[offset]}" for offset in _SHOWN_OFFSETS if check.neighbours[offset]]
    return f"images with a frame at {', '.join(found)}" if found else "none"


def _problem_lines(check: SplitCheck) -> list[str]:
    lines = [f"left out: {problem}" for problem in check.dataset.problems]
    lines += _listed("cannot be read", check.unreadable)
    lines += _listed("another size", check.sizes)
    ids = sorted(check.unknown.items())
    lines += _listed(
        "unknown id",
        [f"{value}: {seen.pixels} px in {counted(seen.files, 'file')}, first {seen.first}" for value, seen in ids],
    )
    lines += _listed("contradiction", check.contradictions)
    return lines or ["problems: none"]


def _listed(kind: str, messages: Sequence[str]) -> list[str]:
    lines = [f"{kind}: {message}" for message in messages[:_LISTED]]
    if len(messages) > _LISTED:
        lines.append(f"{kind}: {len(messages) - _LISTED} more (--json FILE has them all)")
    return lines


def _class_rows(check: SplitCheck) -> list[tuple[str, ...]]:
    """Classes that occur, and evaluated ones that do not."""
    total = int(check.pixels.sum())
    rows: list[tuple[str, ...]] = []
    for index, entry in enumerate(check.dataset.space.classes):
        pixels, images = int(check.pixels[index]), int(check.images[index])
        if pixels or entry.train_id != IGNORE_TRAIN_ID:
            train = "void" if entry.train_id == IGNORE_TRAIN_ID else str(entry.train_id)
            rows.append((entry.name, str(entry.id), train, f"{100.0 * pixels / total:.3f}", str(images)))
    return rows


def _absent(check: SplitCheck) -> list[int]:
    """Train ids without a pixel."""
    classes = check.dataset.space.classes
    seen = {classes[index].train_id for index in np.flatnonzero(check.pixels)}
    return [train for train in range(check.dataset.space.num_train) if train not in seen]


def _split_as_json(check: SplitCheck) -> dict[str, Any]:
    total = max(1, int(check.pixels.sum()))
    classes = [
        {
            "id": entry.id,
            "name": entry.name,
            "train_id": entry.train_id,
            "pixels": int(pixels),
            "share": int(pixels) / total,
            "images": int(images),
        }
        for entry, pixels, images in zip(check.dataset.space.classes, check.pixels, check.images, strict=True)
    ]
    return {
        "images": len(check.dataset),
        "labelled": check.labelled,
        "unlabelled": check.unlabelled,
        "sizes": {f"{width}x{height}": count for (height, width), count in sorted(check.image_sizes.items())},
        "neighbours": {str(offset): check.neighbours[offset] for offset in OFFSETS},
        "notes": list(check.dataset.notes),
        "left_out": list(check.dataset.problems),
        "unreadable": check.unreadable,
        "other_size": check.sizes,
        "instances": {
            "files": len(check.objects),
            "objects": sum(check.objects),
            "without": check.without_instances,
            "contradictions": check.contradictions,
        },
        "unknown_ids": {
            str(value): {"pixels": seen.pixels, "files": seen.files, "first": seen.first}
            for value, seen in sorted(check.unknown.items())
        },
        "classes": classes,
    }
