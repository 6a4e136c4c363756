"""Scores as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seglift.base.counts import counted
from seglift.metrics.instance_iou import InstanceIoU
from seglift.workflows.score.confidence import estimate_line
from seglift.workflows.score.scores import Scores
from seglift.workflows.score.text import mean_known, percent, render_table


def format_scores(scores: Scores) -> str:
    """Tables for a person, in percent; absent classes are called absent."""
    confusion, space = scores.confusion, scores.space
    lines = [
        f"{counted(scores.frames, 'frame')}: mIoU {percent(confusion.miou())}"
        f", pixel accuracy {percent(confusion.pixel_accuracy())}"
        f", mean accuracy {percent(confusion.mean_accuracy())}"
    ]
    if scores.boundary is not None:
        lines[0] += f", boundary F {percent(scores.boundary.mean())}"
    void = int(confusion.counts[:, -1].sum())
    if void:
        lines.append(f"{void} pixels ({percent(void / int(confusion.counts.sum()))} %) are wrong as void was predicted")
    if scores.missing:
        missing = counted(scores.missing, "frame of the ground truth has", "frames of the ground truth have")
        lines.append(f"{missing} no prediction and {'is' if scores.missing == 1 else 'are'} left out")
    if scores.with_ignore is not None:
        lines.append(f"with ignore as a class: mIoU {percent(scores.with_ignore.confusion.miou())}")
    if scores.temporal is not None:
        lines.append(scores.temporal.line())
    if scores.confidence is not None:
        lines.append(scores.confidence.line())
    if scores.estimate.frames:
        lines.append(estimate_line(scores.estimate))
    lines.append(_class_table(scores))
    categories = confusion.category_iou(space.categories)
    if len(categories) < space.num_train:
        lines.append(render_table("IoU by category", ("category", "IoU"), _percents(categories)))
    if scores.instances is not None:
        lines += _instance_lines(scores, scores.instances)
    if scores.panoptic is not None:
        lines += scores.panoptic.lines(scores.frames)
    if scores.id_switches is not None:
        lines.append(scores.id_switches.line())
    if scores.by_distance:
        lines.append(_distance_table(scores))
    return "\n".join(lines)


def _instance_lines(scores: Scores, instances: InstanceIoU) -> Iterator[str]:
    classes, categories = scores.instance_scores(instances)
    source = "this ground truth's" if scores.average_sizes() is None else "the published"
    means = f"iIoU {percent(mean_known(classes.values()))}, category iIoU {percent(mean_known(categories.values()))}"
    some = f", {counted(scores.instance_frames, 'frame')} with instances"
    frames = "" if scores.instance_frames == scores.frames else some
    yield f"{means} (objects weighted by {source} average sizes{frames})"
    yield render_table("Instance-level IoU by class", ("class", "iIoU"), _percents(classes))
    if categories:
        yield render_table("Instance-level IoU by category", ("category", "iIoU"), _percents(categories))


def _percents(values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    return ((name, percent(value)) for name, value in values.items())


def _class_table(scores: Scores) -> str:
    iou = dict(zip(scores.space.train_names, scores.confusion.iou().tolist(), strict=True))
    if scores.with_ignore is None:
        return render_table("IoU by class", ("class", "IoU"), _percents(iou))
    pairs = (
        (name, percent(iou[name]) if name in iou else "", percent(v)) for name, v in scores.with_ignore.iou().items()
    )
    return render_table("IoU by class", ("class", "IoU", "IoU with ignore"), pairs)


def _distance_table(scores: Scores) -> str:
    header = ["frames", "mIoU", "pixel accuracy"]
    rows = {k: [str(k), percent(c.miou()), percent(c.pixel_accuracy())] for k, c in sorted(scores.by_distance.items())}
    if scores.with_ignore is not None:
        header.append("mIoU with ignore")
        for distance, confusion in scores.with_ignore.by_distance.items():
            rows[distance].append(percent(confusion.miou()))
    return render_table("By distance to the nearest keyframe", header, map(tuple, rows.values()))
