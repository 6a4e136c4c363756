"""The papers' choice between two keyframes: labels come from the nearest one."""

from __future__ import annotations

from collections.abc import Callable

import torch

from seglift.propagation.confidence import one_sided_confidence
from seglift.propagation.fuse import Fused, leave_void
from seglift.propagation.provenance import EARLIER, LATER, MODEL, REFINER
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides

FILLED_CONFIDENCE = 0.5
"""Confidence of what a model filled in or a refiner changed on the way: nobody knows how it fared since."""


def take_nearest(sides: BothSides, otherwise: Callable[[], Fused], void: bool = False) -> Fused:
    """The labels of the nearest keyframe, the earlier one where both are equally far.

    Args:
        sides: what was carried to the frame, observed.
        otherwise: makes what to say where neither side says anything.
        void: a side has nothing to say where it was out of view.
    """
    earlier, later = sides.earlier, sides.later
    if earlier is not None and (later is None or earlier.distance <= later.distance):
        return _as_it_is(earlier, EARLIER, void)
    if later is not None:
        return _as_it_is(later, LATER, void)
    return otherwise()


def _as_it_is(state: Propagated, side: int, void: bool) -> Fused:
    refined = torch.zeros_like(state.filled) if state.refined is None else state.refined
    confidence = one_sided_confidence(state)
    provenance = torch.full_like(state.labels, side).masked_fill(state.filled, MODEL).masked_fill(refined, REFINER)
    doubtful = state.filled | refined
    fused = Fused(
        state.labels,
        torch.where(doubtful, confidence.clamp_max(FILLED_CONFIDENCE), confidence),
        provenance,
    )
    return leave_void(fused, state.out_of_view) if void else fused
