"""The scores of some frames: statistics that add up, and what they read as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from seglift.labels.space import LabelSpace
from seglift.metrics.boundary import TOLERANCE, BoundaryF
from seglift.metrics.confusion import Confusion, merge_by_distance
from seglift.metrics.estimate_error import EstimateError
from seglift.metrics.id_switches import IdSwitches
from seglift.metrics.instance_iou import CITYSCAPES_SIZES, InstanceIoU
from seglift.workflows.score.confidence import ConfidenceScores, estimate_json
from seglift.workflows.score.panoptic import PanopticScores
from seglift.workflows.score.text import mean_known, number
from seglift.workflows.score.with_ignore import WithIgnore

if TYPE_CHECKING:
    from seglift.workflows.score.temporal import TemporalScores  # loads torch, which takes seconds

Addend = TypeVar("Addend", InstanceIoU, PanopticScores, IdSwitches, WithIgnore, ConfidenceScores, "TemporalScores")


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
        id_switches: of the same frames, where all that is scored is one clip, added in its order; None without any.
        disagreeing: pixels at which a ground-truth label and its instance file are of different classes.
        with_ignore: void as a class of its own; None where it was not asked for.
        confidence: of the frames that have confidence and that no human drew; None without any.
        estimate: estimated against true mIoU of the frames that have an estimate and that no human drew.
        temporal: consistency of neighbouring frames; None where it was not asked for.
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
    id_switches: IdSwitches | None = None
    disagreeing: int = 0
    with_ignore: WithIgnore | None = None
    confidence: ConfidenceScores | None = None
    estimate: EstimateError = field(default_factory=EstimateError)
    temporal: TemporalScores | None = None

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
        of objects come from; with such files on both sides also ``panoptic`` and ``instances``, of one clip
        ``id_switches``. Where they were asked for or can be had, ``with_ignore``, ``temporal_consistency``,
        ``confidence`` and ``estimated_miou``.
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
            **({} if self.id_switches is None else {"id_switches": self.id_switches.as_json()}),
            **({} if self.with_ignore is None else {"with_ignore": self.with_ignore.as_json()}),
            **({} if self.temporal is None else {"temporal_consistency": self.temporal.as_json()}),
            **({} if self.confidence is None else {"confidence": self.confidence.as_json()}),
            **({} if self.estimate.frames == 0 else {"estimated_miou": estimate_json(self.estimate)}),
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
        self.by_distance = merge_by_distance(self.by_distance, other.by_distance)
        self.instances = _sum(self.instances, other.instances)
        self.panoptic = _sum(self.panoptic, other.panoptic)
        self.id_switches = _sum(self.id_switches, other.id_switches)
        self.with_ignore = _sum(self.with_ignore, other.with_ignore)
        self.confidence = _sum(self.confidence, other.confidence)
        self.estimate += other.estimate
        self.temporal = _sum(self.temporal, other.temporal)
        self.frames += other.frames
        self.missing += other.missing
        self.instance_frames += other.instance_frames
        self.disagreeing += other.disagreeing
        return self


def _numbers(confusion: Confusion, space: LabelSpace) -> dict[str, Any]:
    return {
        "miou": number(confusion.miou()),
        "pixel_accuracy": number(confusion.pixel_accuracy()),
        "mean_accuracy": number(confusion.mean_accuracy()),
        "iou": {name: number(value) for name, value in zip(space.train_names, confusion.iou(), strict=True)},
        "category_iou": {name: number(v) for name, v in confusion.category_iou(space.categories).items()},
    }


def _sum(first: Addend | None, second: Addend | None) -> Addend | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
