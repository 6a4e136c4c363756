"""The keyframes' objects on the frames between, as codes: decided with each frame, before their numbers are known."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.labels.reading import read_label
from seglift.propagation.objects import CarriedObjects, Codes, carry_objects, choose_objects, count_overlaps
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides, Gap
from seglift.workflows.label.keyframe_objects import thing_ids
from seglift.workflows.label.plan import LabelPlan

KEPT = 3
"""Keyframes whose codes are kept."""


class ObjectCarrier:
    """Gives every frame its codes.

    Args:
        plan: whose keyframes have objects.
        device: where states lie.
    """

    def __init__(self, plan: LabelPlan, device: torch.device) -> None:
        self._plan, self._device = plan, device
        self._things = thing_ids(plan.space)
        self._kept: OrderedDict[int, Tensor] = OrderedDict()

    def drawn(self, index: int) -> Codes:
        """Codes of keyframe ``index`` itself, uint16 ``[H, W]``."""
        return self._codes(index)[0].cpu().numpy().astype(np.uint16)

    def carried(
        self, sides: BothSides, gap: Gap, raw: NDArray[np.uint8], provenance: NDArray[np.uint8]
    ) -> tuple[Codes, list[list[int]]]:
        """Codes of a frame, and how far the objects of both keyframes overlap on it.

        Args:
            sides: what was carried to the frame.
            gap: that the frame lies in.
            raw: uint8 ``[H, W]`` raw ids of its labels.
            provenance: uint8 ``[H, W]`` of its labels.

        Returns:
            As :func:`~seglift.propagation.objects.choose_objects` and
            :func:`~seglift.propagation.objects.count_overlaps`; no overlaps where only one side reached the frame.
        """
        earlier, later = self._side(sides.earlier, gap.left), self._side(sides.later, gap.right)
        overlaps = count_overlaps(earlier, later) if earlier is not None and later is not None else []
        return choose_objects(raw, provenance, self._things, earlier, later), overlaps

    def _side(self, state: Propagated | None, keyframe: int | None) -> CarriedObjects | None:
        if state is None or keyframe is None:
            return None
        return carry_objects(self._codes(keyframe), self._plan.objects[keyframe].classes, state)

    def _codes(self, index: int) -> Tensor:
        """Codes of a keyframe, int16 ``[1, H, W]``; the last few are kept."""
        if index not in self._kept:
            labels = read_label(self._plan.keyframe_at[index].label, self._plan.space)
            codes = self._plan.objects[index].read_codes(labels, self._plan.space)
            self._kept[index] = torch.from_numpy(codes)[None].to(self._device)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[index]
