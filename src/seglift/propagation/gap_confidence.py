"""How far the confidence of a gap's frames is too low, learned from what arrived at its two keyframes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from seglift.propagation.arrival import Arrival
from seglift.propagation.fuse import Fused
from seglift.propagation.provenance import EARLIER, LATER
from seglift.propagation.traverse import BothSides

SHRINKAGE = 0.01
"""Weight of "no correction": with every pixel judged, an offset of 1 costs as much as this half of a nat a pixel."""
NEWTON_STEPS, LARGEST_NEWTON_STEP = 50, 1.0


def confidence_offset(first: Arrival, second: Arrival) -> float:
    """How much too low confidence is in the gap between two keyframes, in log odds, 0 or more.

    What arrived at the far keyframes was carried further than anything is that the gap's frames get, and had no second
    opinion. Where it was right more often than was predicted, so are those frames; where less often, nothing follows
    for them. The offset is the most likely one, shrunk towards 0 by :data:`SHRINKAGE`, the more so the less was judged.

    Args:
        first: at one keyframe.
        second: at the other.
    """
    levels = np.clip(np.arange(256), 1, 254) / 255.0
    odds = np.log(levels / (1.0 - levels))
    wrong, right = (first.calibration + second.calibration).counts / (first.pixels + second.pixels)
    offset = 0.0
    for _ in range(NEWTON_STEPS):
        predicted = 1.0 / (1.0 + np.exp(-(odds + offset)))
        slope = ((wrong + right) * predicted).sum() - right.sum() + SHRINKAGE * offset
        curvature = ((wrong + right) * predicted * (1.0 - predicted)).sum() + SHRINKAGE
        offset -= float(np.clip(slope / curvature, -LARGEST_NEWTON_STEP, LARGEST_NEWTON_STEP))
    return max(offset, 0.0)


def trust_carried(fused: Fused, sides: BothSides, offset: float) -> Fused:
    """Adds ``offset`` to the log odds of confidence wherever a keyframe that saw it gave the label.

    What a model said is left as it is, since arrivals do not judge it, and so is a replicated border.

    Args:
        fused: a frame of a gap between two keyframes.
        sides: what it was decided from.
        offset: of :func:`confidence_offset`.
    """
    if offset <= 0.0 or sides.earlier is None or sides.later is None:
        return fused
    carried = (fused.provenance == EARLIER) | (fused.provenance == LATER)
    carried &= ~(sides.earlier.out_of_view & sides.later.out_of_view)
    return replace(fused, confidence=raise_odds(fused.confidence, offset).where(carried, fused.confidence))


def raise_odds(confidence: Tensor, offset: float) -> Tensor:
    """Confidence (float32, 0..1, any shape) with ``offset`` added to its log odds; 0 and 1 stay what they are."""
    ratio = float(np.exp(offset))
    return confidence * ratio / (1.0 + confidence * (ratio - 1.0))
