"""IoU with void as a class of its own, which Ganeshan et al. (ICCV 2021, figures 1 and 5) report, too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from seglift.base.errors import UserError
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace, look_up
from seglift.metrics.confusion import Confusion, merge_by_distance
from seglift.workflows.score.text import number

IGNORE_NAME = "ignore"


@dataclass(frozen=True)
class WithIgnore:
    """Confusion of the evaluated classes and, as the last one, all kinds of void of the space together.

    Attributes:
        space: the label space.
        confusion: of all frames; C + 1 classes.
        by_distance: by distance to the nearest keyframe (frames, from 1).
    """

    space: LabelSpace
    confusion: Confusion
    by_distance: dict[int, Confusion] = field(default_factory=dict)

    @classmethod
    def empty(cls, space: LabelSpace) -> Self:
        """No frame counted yet.

        Raises:
            UserError: the space has no room for another class, or has one of that name.
        """
        if space.num_train == IGNORE_TRAIN_ID or IGNORE_NAME in space.train_names:
            what = "evaluates 255 classes" if space.num_train == IGNORE_TRAIN_ID else "evaluates a class of that name"
            raise UserError(
                f"--with-ignore adds the class '{IGNORE_NAME}', but label space {space.name} {what}; leave it out"
            )
        return cls(space, Confusion.empty(space.num_train + 1))

    @classmethod
    def of(cls, space: LabelSpace, prediction: Array8, truth: Array8, distance: int) -> Self:
        """One frame: train ids uint8 [H, W], 255 = void; ``distance`` 0: of no keyframe."""
        table = np.arange(256, dtype=np.uint8)
        table[IGNORE_TRAIN_ID] = space.num_train
        own = cls.empty(space)
        own.confusion.update(look_up(table, prediction), look_up(table, truth))
        return replace(own, by_distance={distance: own.confusion} if distance > 0 else {})

    def __add__(self, other: WithIgnore) -> WithIgnore:
        by_distance = merge_by_distance(self.by_distance, other.by_distance)
        return WithIgnore(self.space, self.confusion + other.confusion, by_distance)

    def iou(self) -> dict[str, float]:
        """IoU 0..1 by class, ``ignore`` last; NaN where absent."""
        names = (*self.space.train_names, IGNORE_NAME)
        return {name: float(value) for name, value in zip(names, self.confusion.iou(), strict=True)}

    def as_json(self) -> dict[str, Any]:
        """``with_ignore`` of ``score --json``: fractions 0..1, null where absent."""
        return {
            "miou": number(self.confusion.miou()),
            "iou": {name: number(value) for name, value in self.iou().items()},
            "by_distance": {str(k): {"miou": number(c.miou())} for k, c in sorted(self.by_distance.items())},
        }
