"""Regions that are void in every frame of a clip, copied from its annotated frame (the paper's ego-car region).

Chen et al., "Naive-Student" (ECCV 2020), section 3: the region is at the same place in all frames of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from seglift.base.errors import UserError
from seglift.datasets.coarsen import NEVER_FILLED
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace, look_up
from seglift.workflows.naive_student.frames import Annotated

REMEMBERED = 4
"""Annotated frames whose regions are kept: the frames of a clip follow each other."""


class VoidRegions:
    """Writes the void regions of annotated frames into labels.

    Args:
        classes: names of the void classes; None takes those of the camera (``NEVER_FILLED``) that there are.
        space: label space of the labels that are written.

    Raises:
        UserError: a class that the space lacks or that is evaluated in it.
    """

    def __init__(self, classes: Sequence[str] | None, space: LabelSpace) -> None:
        self.space = space
        self.classes = NEVER_FILLED if classes is None else tuple(classes)
        known = {entry.name: entry for entry in space.classes}
        for name in classes or ():
            if name not in known or known[name].train_id != IGNORE_TRAIN_ID:
                void = [entry.name for entry in space.classes if entry.train_id == IGNORE_TRAIN_ID]
                raise UserError(
                    f"void_classes has {name!r}, expected void classes of {space.name} ({', '.join(void) or 'none'});"
                    " correct it"
                )
        self._read = lru_cache(maxsize=REMEMBERED)(self._regions)

    def apply_to(self, space: LabelSpace) -> bool:
        """Whether labels of ``space`` can have such regions."""
        return any(entry.name in self.classes and entry.train_id == IGNORE_TRAIN_ID for entry in space.classes)

    def write(self, raw: Array8, annotated: Annotated | None, where: str) -> Array8:
        """Labels with the regions of the annotated frame.

        Args:
            raw: uint8 [H, W], raw ids of the space.
            annotated: the annotated frame of the clip; None changes nothing.
            where: name of the frame, for the error.

        Returns:
            uint8 [H, W]; a region has the raw id of its class, or ``ignore`` where the space lacks the class.

        Raises:
            UserError: the annotated frame cannot be read or is of another size.
        """
        self.check((raw.shape[0], raw.shape[1]), annotated, where)
        if annotated is None or not self.apply_to(annotated.space):
            return raw
        inside, ids = self._read(annotated)
        return np.where(inside, ids, raw)

    def check(self, size: tuple[int, int], annotated: Annotated | None, where: str) -> None:
        """Whether :meth:`write` can write the regions into labels of this height and width; raises as it does."""
        if annotated is None or not self.apply_to(annotated.space):
            return
        height, width = self._read(annotated)[0].shape
        if (height, width) != size:
            raise UserError(
                f"{annotated.label} is {width}x{height}, {where} of the same clip is {size[1]}x{size[0]};"
                " expected one size: resize one, or set void_classes to []"
            )

    def _regions(self, annotated: Annotated) -> tuple[np.ndarray, Array8]:
        """Where the regions are, bool [H, W], and the raw ids there, uint8 [H, W]."""
        own, table, inside = annotated.space, np.zeros(256, np.uint8), np.zeros(256, np.uint8)
        ids = {entry.name: entry.id for entry in self.space.classes}
        for index, entry in enumerate(own.classes):
            written = ids.get(entry.name, self.space.ignore)
            if entry.name in self.classes and entry.train_id == IGNORE_TRAIN_ID and written is not None:
                table[index], inside[index] = written, 1
        label = annotated.label.read()
        return look_up(inside, label) > 0, look_up(table, label)
