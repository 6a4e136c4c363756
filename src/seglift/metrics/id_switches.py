"""How often objects change their id on the way through a video.

Bernardin & Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", EURASIP Journal on
Image and Video Processing 2008, section 2.1: the mismatches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from seglift.base.counts import counted
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.metrics.panoptic_quality import match_segments
from seglift.metrics.segment_overlaps import Overlaps, Panoptic, find_overlaps

ObjectId = tuple[int, int]
"""Space index and instance number of an object."""


@dataclass(frozen=True)
class IdSwitches:
    """Id switches of consecutive frames of one clip; those of the frames that follow are added on the right.

    A true object (a thing with an instance number, of an evaluated class) and a predicted one of its class are matched
    where their IoU is above 0.5 (:func:`~seglift.metrics.panoptic_quality.match_segments`). It switches its id where it
    is matched to another predicted id than when it was last matched, however many frames ago. Frames in which it is not
    matched, or to a crowd, which has no id, neither switch it nor are they forgotten. What appears twice under one id
    is no switch.

    Attributes:
        space: the label space.
        first: id predicted for each true object when it was first matched.
        last: the same of the last time.
        switches: number of switches by true object; objects without any are absent.
        matches: matched pairs, over all frames.
        frames: how many.

    Example:
        >>> import numpy as np
        >>> from seglift.labels.builtin import BUILTIN_SPACES
        >>> space = BUILTIN_SPACES["cityscapes"]
        >>> car = np.full((2, 2), 26, np.uint8)
        >>> one = np.ones((2, 2), np.uint16)
        >>> def frame(number):  # the same car, predicted with another number
        ...     return IdSwitches.of(space, (car, one * np.uint16(number)), (car, one))
        >>> clip = frame(4) + frame(4) + frame(5) + frame(0) + frame(4)
        >>> clip.count(), clip.matches, clip.objects, clip.by_class()["car"]
        (2, 4, 1, 2)
    """

    space: LabelSpace
    first: dict[ObjectId, ObjectId] = field(default_factory=dict)
    last: dict[ObjectId, ObjectId] = field(default_factory=dict)
    switches: dict[ObjectId, int] = field(default_factory=dict)
    matches: int = 0
    frames: int = 0

    @classmethod
    def of(cls, space: LabelSpace, prediction: Panoptic, truth: Panoptic) -> Self:
        """One frame.

        Args:
            space: the label space.
            prediction: uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 where there is no single object.
            truth: the same of the ground truth, whose numbers are those of the objects over the clip.

        Raises:
            ValueError: other dtypes, or sizes that differ.
            UserError: raw ids that the space lacks.
        """
        return cls.of_overlaps(space, find_overlaps(space, prediction, truth))

    @classmethod
    def of_overlaps(cls, space: LabelSpace, overlaps: Overlaps) -> Self:
        """One frame, whose segments have been compared already."""
        matched, _ = match_segments(overlaps, space)
        truth, prediction = overlaps.truth, overlaps.prediction
        true, predicted = overlaps.true[matched], overlaps.predicted[matched]
        single = (truth.numbers[true] > 0) & (prediction.numbers[predicted] > 0)
        pairs = {
            (int(truth.indices[one]), int(truth.numbers[one])): (
                int(prediction.indices[other]),
                int(prediction.numbers[other]),
            )
            for one, other in zip(true[single], predicted[single], strict=True)
        }
        return cls(space, pairs, dict(pairs), {}, len(pairs), 1)

    def __add__(self, other: IdSwitches) -> IdSwitches:
        if self.space != other.space:
            raise ValueError(f"cannot add id switches in {self.space.name} and {other.space.name}")
        switches = dict(self.switches)
        for true, count in other.switches.items():
            switches[true] = switches.get(true, 0) + count
        for true, predicted in other.first.items():
            if self.last.get(true, predicted) != predicted:
                switches[true] = switches.get(true, 0) + 1
        return IdSwitches(
            self.space,
            {**other.first, **self.first},
            {**self.last, **other.last},
            switches,
            self.matches + other.matches,
            self.frames + other.frames,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain counts."""
        return {
            "count": self.count(),
            "objects": self.objects,
            "matches": self.matches,
            "frames": self.frames,
            "by_class": self.by_class(),
        }

    def line(self) -> str:
        """For a person."""
        matched = f"matched {counted(self.matches, 'time')} in {counted(self.frames, 'frame')}"
        return f"id switches: {self.count()} ({counted(self.objects, 'object')}, {matched})"

    @property
    def objects(self) -> int:
        """How many true objects were matched at all."""
        return len(self.first)

    def count(self) -> int:
        """Switches of all objects."""
        return sum(self.switches.values())

    def by_class(self) -> dict[str, int]:
        """Switches of each thing class that had an object matched, by its evaluated name."""
        names = self.space.train_names
        counts: dict[str, int] = {}
        for index, number in sorted(self.first):
            train_id = self.space.classes[index].train_id
            if train_id != IGNORE_TRAIN_ID:
                name = names[train_id]
                counts[name] = counts.get(name, 0) + self.switches.get((index, number), 0)
        return counts
