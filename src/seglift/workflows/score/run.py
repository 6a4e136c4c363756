"""``seglift score``: labels against ground truth, pooled over frames, by class and by distance to a keyframe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar, say
from seglift.base.threads import worker_count
from seglift.labels.instances import count_disagreement, read_cityscapes
from seglift.labels.reading import read_label
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.metrics.boundary import TOLERANCE, BoundaryF
from seglift.metrics.confusion import Confusion
from seglift.metrics.instance_iou import CITYSCAPES_SIZES, InstanceIoU
from seglift.video.clip import check_label_size
from seglift.workflows.score.by_manifest import is_synthesized, pair_synthesized
from seglift.workflows.score.files import (
    find_distances,
    find_instances,
    find_predicted_instances,
    list_labels,
    list_predictions,
    missing_between,
    pair_trees,
)
from seglift.workflows.score.panoptic import PanopticScores, check_classes, read_panoptic, score_panoptic
from seglift.workflows.score.text import mean_known, number, percent, render_table

__all__ = [
    "Scores",
    "add_frame",
    "format_scores",
    "mean_known",
    "percent",
    "render_table",
    "score_folders",
    "score_frame",
]

SHOW_PROGRESS_FROM = 50
"""Fewer frames are scored before anybody wonders."""


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
        instances: instance-level IoU of the frames whose ground truth has an instance file; None without any.
        instance_frames: number of these frames.
        panoptic: panoptic quality and instance AP of the frames with instance files on both sides; None without any.
        disagreeing: pixels at which a ground-truth label and its instance file are of different classes.
    """

    space: LabelSpace
    confusion: Confusion
    boundary: BoundaryF | None = None
    by_distance: dict[int, Confusion] = field(default_factory=dict)
    frames: int = 0
    missing: int = 0
    instances: InstanceIoU | None = None
    instance_frames: int = 0
    panoptic: PanopticScores | None = None
    disagreeing: int = 0

    @classmethod
    def empty(cls, space: LabelSpace, tolerance: float = TOLERANCE) -> Scores:
        """No frame scored yet; boundary F within ``tolerance`` (see :class:`BoundaryF`)."""
        return cls(space, Confusion.empty(space.num_train), BoundaryF.empty(space.num_train, tolerance))

    def average_sizes(self) -> Mapping[str, float] | None:
        """Average sizes of objects for the instance-level IoU: Cityscapes' published ones, None: the ground truth's."""
        things = {self.space.train_names[n] for n in self.space.thing_train_ids}
        return CITYSCAPES_SIZES if self.space.name == "cityscapes" and things <= CITYSCAPES_SIZES.keys() else None

    def as_json(self) -> dict[str, Any]:
        """The contract of ``score --json``: fractions 0..1, null where a class or category is absent.

        With instance files also ``iiou`` and ``category_iiou`` (things only), their means, and where the average sizes
        of objects come from; with such files on both sides also ``panoptic`` and ``instances``.
        """
        instances = {} if self.instances is None else self._instance_numbers(self.instances)
        return {
            **_numbers(self.confusion, self.space),
            "boundary_f": number(self.boundary.mean()) if self.boundary is not None else None,
            "by_distance": {
                str(distance): _numbers(confusion, self.space)
                for distance, confusion in sorted(self.by_distance.items())
            },
            "frames": self.frames,
            **instances,
            **({} if self.panoptic is None else self.panoptic.as_json()),
        }

    def _instance_numbers(self, instances: InstanceIoU) -> dict[str, Any]:
        classes, categories = self.instance_scores(instances)
        return {
            "iiou": {name: number(value) for name, value in classes.items()},
            "category_iiou": {name: number(value) for name, value in categories.items()},
            "mean_iiou": number(mean_known(classes.values())),
            "mean_category_iiou": number(mean_known(categories.values())),
            "average_sizes": "ground truth" if self.average_sizes() is None else "cityscapes",
        }

    def instance_scores(self, instances: InstanceIoU) -> tuple[dict[str, float], dict[str, float]]:
        """Instance-level IoU 0..1 by thing class and by category of things; NaN where absent."""
        sizes = self.average_sizes()
        values = instances.iou(sizes)
        things = {self.space.train_names[n]: float(values[n]) for n in self.space.thing_train_ids}
        return things, instances.category_iou(sizes)

    def __iadd__(self, other: Scores) -> Scores:
        self.confusion += other.confusion
        if self.boundary is not None and other.boundary is not None:
            self.boundary += other.boundary
        for distance, confusion in other.by_distance.items():
            known = self.by_distance.get(distance)
            self.by_distance[distance] = confusion if known is None else known + confusion
        if other.instances is not None:
            self.instances = other.instances if self.instances is None else self.instances + other.instances
        if other.panoptic is not None:
            self.panoptic = other.panoptic if self.panoptic is None else self.panoptic + other.panoptic
        self.frames += other.frames
        self.missing += other.missing
        self.instance_frames += other.instance_frames
        self.disagreeing += other.disagreeing
        return self


def score_folders(
    prediction: Path,
    truth: Path,
    space_name: str,
    keyframes: Path | None = None,
    between: bool = False,
    allow_missing: bool = False,
    tolerance: float = TOLERANCE,
) -> Scores:
    """Scores label PNGs.

    Args:
        prediction: an OUT of ``label`` or ``predict`` (its ``labels/`` is taken), a folder or tree of PNGs; or an OUT
            of ``synthesize``, whose pairs are scored where there is ground truth, and by distance.
        truth: folder or tree of ground-truth PNGs; stems are matched as in ``label``. Where ``*_instanceIds.png`` lie
            beside them, things get the instance-level IoU, too, and where predictions also have instance files
            (:func:`find_predicted_instances`), panoptic quality and instance AP are added.
        space_name: label space, a name or a file.
        keyframes: folder of the keyframes' labels: these frames are left out, and scores by distance added.
        between: only frames strictly between the first and the last keyframe.
        allow_missing: leave out ground truth that has no prediction, instead of refusing.
        tolerance: of boundary F, share of the image diagonal.

    Raises:
        UserError: nothing to score, missing predictions, sizes that differ, ids outside the space, instance files that
            contradict their labels.
    """
    space = get_space(space_name)
    if not 0 < tolerance < 1:
        raise UserError(f"--boundary-tolerance is {tolerance}, expected above 0 and below 1; 0.005 is usual")
    if between and keyframes is None:
        raise UserError("--between needs to know the keyframes; add --keyframes DIR")
    if is_synthesized(prediction):
        if keyframes is not None:
            raise UserError(
                f"{prediction} is a synthesized dataset, whose manifest says how far its frames are from the labelled "
                "ones; leave --keyframes out"
            )
        chosen, missing = pair_synthesized(prediction, truth)
    else:
        chosen, missing = _pair_folders(prediction, truth, keyframes, between, allow_missing)
    if not chosen:
        raise UserError(f"no frame of {prediction} is left to score against {truth}; check stems and keyframes")
    scores = Scores.empty(space, tolerance)
    scores.missing = len(missing)
    with ProgressBar(len(chosen), "scoring", "frames", quiet=len(chosen) < SHOW_PROGRESS_FROM) as bar:
        for one in work_ahead(lambda files: score_frame(space, *files, tolerance=tolerance), chosen, worker_count()):
            scores += one
            bar.advance()
    if scores.disagreeing:
        say(f"ground-truth labels and instance files name different classes at {scores.disagreeing} pixels")
    if scores.panoptic is not None and scores.panoptic.frames < scores.frames:
        one_sided = scores.frames - scores.panoptic.frames
        say(f"panoptic quality and AP leave out {one_sided} frames that lack an instance file on one side or both")
    return scores


def _pair_folders(
    prediction: Path, truth: Path, keyframes: Path | None, between: bool, allow_missing: bool
) -> tuple[list[tuple[Path, Path, int]], tuple[str, ...]]:
    """Prediction, ground truth and distance (0: of no keyframe) of each frame, and ground truth without prediction."""
    predictions = list_predictions(prediction)
    pairs = pair_trees(predictions, list_labels(truth, f"give ground-truth PNGs named after {predictions.names[0]}"))
    missing = missing_between(pairs, keyframes) if between and keyframes is not None else pairs.missing
    if missing and not allow_missing:
        raise UserError(
            f"{len(missing)} labels of {truth} have no prediction in {prediction} (first: {missing[0]}); "
            "predict them too or add --allow-missing"
        )
    if keyframes is None and (prediction / "frames.jsonl").is_file():
        say("keyframes are scored too, as they were drawn; add --keyframes DIR to leave them out")
    distances = find_distances(pairs, keyframes, between) if keyframes is not None else dict.fromkeys(pairs.found, 0)
    chosen = [(*files, distances[index]) for index, files in pairs.found.items() if index in distances]
    return chosen, missing


def score_frame(
    space: LabelSpace, prediction: Path, truth: Path, distance: int = 0, tolerance: float = TOLERANCE
) -> Scores:
    """Scores of one frame of label files; ``distance`` 0 means: of no keyframe.

    An instance file beside ``truth`` is taken into account, and one of ``prediction`` where ``truth`` has one.

    Raises:
        UserError: sizes differ, ids are outside the space, or instance files of both sides contradict their labels.
    """
    true_index, index = read_label(truth, space), read_label(prediction, space)
    size = (true_index.shape[0], true_index.shape[1])
    check_label_size(prediction, index.shape, size)
    own = Scores.empty(space, tolerance)
    own.frames = 1
    true_labels, labels = space.to_train(true_index), space.to_train(index)
    own.confusion.update(labels, true_labels)
    if own.boundary is not None:
        own.boundary.update(labels, true_labels)
    if distance > 0:
        own.by_distance[distance] = own.confusion
    path = find_instances(truth)
    if path is not None:
        raw, numbers = read_cityscapes(path, space)
        check_label_size(path, raw.shape, size)
        own.instances, own.instance_frames = InstanceIoU.empty(space), 1
        own.instances.update(index, true_index, raw, numbers)
        own.disagreeing = count_disagreement(space.decode(true_index), raw)
        found = find_predicted_instances(prediction)
        if found is not None:
            check_classes(path, raw, truth, true_index, space)
            own.panoptic = score_panoptic(space, read_panoptic(found, prediction, index, space), (raw, numbers))
    return own


def add_frame(scores: Scores, prediction: Path, truth: Path, distance: int) -> Confusion:
    """Adds one frame of label files to ``scores`` (``distance`` 0: of no keyframe) and gives its own confusion.

    Raises:
        UserError: sizes differ or ids are outside the space.
    """
    tolerance = TOLERANCE if scores.boundary is None else scores.boundary.tolerance
    own = score_frame(scores.space, prediction, truth, distance, tolerance)
    scores += own
    return own.confusion


def _numbers(confusion: Confusion, space: LabelSpace) -> dict[str, Any]:
    return {
        "miou": number(confusion.miou()),
        "pixel_accuracy": number(confusion.pixel_accuracy()),
        "mean_accuracy": number(confusion.mean_accuracy()),
        "iou": {name: number(value) for name, value in zip(space.train_names, confusion.iou(), strict=True)},
        "category_iou": {name: number(v) for name, v in confusion.category_iou(space.categories).items()},
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
        lines.append(render_table("IoU by category", ("category", "IoU"), _percents(categories)))
    if scores.instances is not None:
        lines += _instance_lines(scores, scores.instances)
    if scores.panoptic is not None:
        lines += scores.panoptic.lines(scores.frames)
    if scores.by_distance:
        by_distance = (
            (str(k), percent(c.miou()), percent(c.pixel_accuracy())) for k, c in sorted(scores.by_distance.items())
        )
        lines.append(
            render_table("By distance to the nearest keyframe", ("frames", "mIoU", "pixel accuracy"), by_distance)
        )
    return "\n".join(lines)


def _instance_lines(scores: Scores, instances: InstanceIoU) -> Iterator[str]:
    classes, categories = scores.instance_scores(instances)
    source = "this ground truth's" if scores.average_sizes() is None else "the published"
    means = f"iIoU {percent(mean_known(classes.values()))}, category iIoU {percent(mean_known(categories.values()))}"
    frames = "" if scores.instance_frames == scores.frames else f", {scores.instance_frames} frames with instances"
    yield f"{means} (objects weighted by {source} average sizes{frames})"
    yield render_table("Instance-level IoU by class", ("class", "iIoU"), _percents(classes))
    if categories:
        yield render_table("Instance-level IoU by category", ("category", "iIoU"), _percents(categories))


def _percents(values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    return ((name, percent(value)) for name, value in values.items())


def _class_rows(confusion: Confusion, space: LabelSpace) -> Iterator[tuple[str, str]]:
    for name, value in zip(space.train_names, confusion.iou(), strict=True):
        yield name, percent(float(value))
