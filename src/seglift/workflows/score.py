"""``seglift score``: labels against ground truth, pooled over frames, by class and by distance to a keyframe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.labels.reading import read_label
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.metrics.boundary import BoundaryF
from seglift.metrics.confusion import Confusion
from seglift.video.clip import check_label_size, pair_labels
from seglift.video.stems import instance_stem, is_companion, label_stem, natural_key


@dataclass
class Scores:
    """Statistics of some frames; pooled over pixels, not averaged over frames.

    Attributes:
        space: the label space.
        confusion: of all frames.
        boundary: boundary F of all frames; None where it was not asked for.
        by_distance: confusion by distance to the nearest keyframe (frames, from 1).
        frames: number of frames scored.
        missing: ground truth left out because there was no prediction.
    """

    space: LabelSpace
    confusion: Confusion
    boundary: BoundaryF | None = None
    by_distance: dict[int, Confusion] = field(default_factory=dict)
    frames: int = 0
    missing: int = 0

    def as_json(self) -> dict[str, Any]:
        """The contract of ``score --json``: fractions 0..1, null where a class or category is absent."""
        return {
            **_numbers(self.confusion, self.space),
            "boundary_f": _number(self.boundary.mean()) if self.boundary is not None else None,
            "by_distance": {
                str(distance): _numbers(confusion, self.space)
                for distance, confusion in sorted(self.by_distance.items())
            },
            "frames": self.frames,
        }


def score_folders(
    prediction: Path,
    truth: Path,
    space_name: str,
    keyframes: Path | None = None,
    between: bool = False,
    allow_missing: bool = False,
) -> Scores:
    """Scores a folder of label PNGs.

    Args:
        prediction: an OUT of ``label`` (its ``labels/`` is taken) or a folder of PNGs.
        truth: folder of ground-truth PNGs; stems are matched as in ``label``.
        space_name: label space, a name or a file.
        keyframes: folder of the keyframes' labels: these frames are left out, and scores by distance added.
        between: only frames strictly between the first and the last keyframe.
        allow_missing: leave out ground truth that has no prediction, instead of refusing.

    Raises:
        UserError: nothing to score, missing predictions, sizes that differ, ids outside the space.
    """
    space = get_space(space_name)
    predictions = list_predictions(prediction)
    stems = [label_stem(path.stem) for path in predictions]
    truths = pair_labels(stems, truth, allow_unmatched=True)
    missing = _missing(truth, truths)
    if missing and not allow_missing:
        raise UserError(
            f"{len(missing)} labels of {truth} have no prediction in {prediction} (first: {missing[0]}); "
            "predict them too or add --allow-missing"
        )
    if between and keyframes is None:
        raise UserError("--between needs to know the keyframes; add --keyframes DIR")
    if keyframes is None and (prediction / "frames.jsonl").is_file():
        say("keyframes are scored too, as they were drawn; add --keyframes DIR to leave them out")
    distances = _distances(stems, keyframes, between) if keyframes is not None else dict.fromkeys(truths, 0)
    chosen = [index for index in sorted(truths) if index in distances]
    if not chosen:
        raise UserError(f"no frame of {prediction} is left to score against {truth}; check stems and keyframes")
    scores = Scores(space, Confusion.empty(space.num_train), BoundaryF.empty(space.num_train), missing=len(missing))
    for index in chosen:
        add_frame(scores, predictions[index], truths[index], distances[index])
    return scores


def add_frame(scores: Scores, prediction: Path, truth: Path, distance: int) -> Confusion:
    """Adds one frame of label files to ``scores`` (``distance`` 0: of no keyframe) and gives its own confusion.

    Raises:
        UserError: sizes differ or ids are outside the space.
    """
    space = scores.space
    true_labels = space.to_train(read_label(truth, space))
    labels = space.to_train(read_label(prediction, space))
    check_label_size(prediction, labels.shape, (true_labels.shape[0], true_labels.shape[1]))
    own = Confusion.empty(space.num_train)
    own.update(labels, true_labels)
    scores.confusion += own
    if scores.boundary is not None:
        scores.boundary.update(labels, true_labels)
    if distance > 0:
        known = scores.by_distance.get(distance, Confusion.empty(space.num_train))
        scores.by_distance[distance] = known + own
    scores.frames += 1
    return own


def list_predictions(folder: Path) -> list[Path]:
    """Label PNGs of an OUT of ``label`` or of a plain folder, in natural order.

    Raises:
        UserError: there is no such folder, no PNG in it, or two PNGs of one frame.
    """
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    if not labels.is_dir():
        raise UserError(f"{folder} is not a folder; give an OUT of seglift label or a folder of label PNGs")
    paths = _label_pngs(labels)
    if not paths:
        raise UserError(f"no label PNG in {labels}; give an OUT of seglift label or a folder of label PNGs")
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(label_stem(path.stem), path)
        if other is not path:
            raise UserError(f"{other.name} and {path.name} in {labels} both belong to one frame; keep one of them")
    return paths


def _label_pngs(folder: Path) -> list[Path]:
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() == ".png"
        and not path.name.startswith(".")
        and not is_companion(path.stem)
        and instance_stem(path.stem) is None
    ]
    return sorted(paths, key=lambda path: natural_key(path.stem))


def _missing(truth: Path, found: dict[int, Path]) -> list[str]:
    used = set(found.values())
    return [path.name for path in _label_pngs(truth) if path not in used]


def _distances(stems: Sequence[str], keyframes: Path, between: bool) -> dict[int, int]:
    """Distance to the nearest keyframe by index of the frame, keyframes and what ``between`` cuts away left out."""
    keys = sorted(pair_labels(stems, keyframes, allow_unmatched=True))
    if not keys:
        raise UserError(f"no label in {keyframes} belongs to a scored frame; give the folder that label was given")
    return {
        index: min(abs(index - key) for key in keys)
        for index in range(len(stems))
        if index not in keys and (not between or keys[0] < index < keys[-1])
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _numbers(confusion: Confusion, space: LabelSpace) -> dict[str, Any]:
    return {
        "miou": _number(confusion.miou()),
        "pixel_accuracy": _number(confusion.pixel_accuracy()),
        "mean_accuracy": _number(confusion.mean_accuracy()),
        "iou": {name: _number(value) for name, value in zip(space.train_names, confusion.iou(), strict=True)},
        "category_iou": {name: _number(v) for name, v in confusion.category_iou(space.categories).items()},
    }


def format_scores(scores: Scores) -> str:
    """Tables for a person, in percent; absent classes are called absent."""
    confusion, space = scores.confusion, scores.space
    lines = [
        f"{scores.frames} frames: mIoU {percent(confusion.miou())}"
        f", pixel accuracy {percent(confusion.pixel_accuracy())}"
        f", mean accuracy {percent(confusion.mean_accuracy())}"
    ]
    if scores.boundary is not None:
        lines[0] += f", boundary F {percent(scores.boundary.mean())}"
    if scores.missing:
        lines.append(f"{scores.missing} frames of the ground truth have no prediction and are left out")
    lines.append(render_table("IoU by class", ("class", "IoU"), _class_rows(confusion, space)))
    categories = confusion.category_iou(space.categories)
    if len(categories) < space.num_train:
        by_category = ((name, percent(value)) for name, value in categories.items())
        lines.append(render_table("IoU by category", ("category", "IoU"), by_category))
    if scores.by_distance:
        by_distance = (
            (str(k), percent(c.miou()), percent(c.pixel_accuracy())) for k, c in sorted(scores.by_distance.items())
        )
        lines.append(
            render_table("By distance to the nearest keyframe", ("frames", "mIoU", "pixel accuracy"), by_distance)
        )
    return "\n".join(lines)


def _class_rows(confusion: Confusion, space: LabelSpace) -> Iterator[tuple[str, str]]:
    for name, value in zip(space.train_names, confusion.iou(), strict=True):
        yield name, percent(float(value))


def percent(fraction: float) -> str:
    """A fraction 0..1 as percent with one decimal; NaN is ``absent``."""
    return "absent" if math.isnan(fraction) else f"{100.0 * fraction:.1f}"


def render_table(title: str, header: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A plain-text table; the first column is left-aligned, the others right-aligned."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=100).print(table)
    return text.getvalue().rstrip()
