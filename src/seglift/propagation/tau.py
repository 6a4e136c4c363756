"""The photometric threshold tau of warp-inpaint, calibrated: the paper gives none (Ganeshan et al. 2021, equation 6).

Labels whose truth is known come back to labelled frames under every threshold; the one under which most is right is
taken. Motion and what the model says do not depend on the threshold, and are estimated once for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from seglift.metrics.confusion import Confusion
from seglift.motion.estimator import MotionEstimator
from seglift.propagation.cycle import DEFAULT_TAU, LabelledNeighbourhood, ReturnConfig, both_trips, returns_of
from seglift.propagation.semantic_only import SemanticLabeller

TAUS = (10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 150.0, math.inf)
"""What there is to choose from; with the last, a model fills in only what is out of view."""


def confusions_by_tau(
    around: LabelledNeighbourhood,
    estimator: MotionEstimator,
    labeller: SemanticLabeller,
    config: ReturnConfig,
    taus: Sequence[float] = TAUS,
) -> dict[float, Confusion]:
    """What comes back to a labelled frame, under every threshold, against what the human drew there.

    Args:
        around: the frame and its neighbours.
        estimator: motion between neighbours.
        labeller: fills in; a model that has learnt the frame makes small thresholds look good.
        config: which labels come back and how they travel; its own threshold does not matter.
        taus: thresholds, 0 to infinity, RGB distance in 0..255 units.

    Returns:
        By threshold, the pixels of all that comes back, pooled over both sides and every length.

    Raises:
        UserError: a frame or label cannot be read, or the estimator gave NaN.
    """
    space = labeller.space
    truth = space.to_train(around.labels[around.key]()[0].cpu().numpy())
    found = {tau: Confusion.empty(space.num_train) for tau in taus}
    fixed = replace(config, tau=DEFAULT_TAU)
    for trip, reach in both_trips(around, estimator, labeller, fixed):
        for tau, confusion in found.items():
            for one in returns_of(trip.at(tau), reach, around, fixed):
                confusion.update(space.to_train(one.labels[0].cpu().numpy()), truth)
    return found


def best_tau(miou: Mapping[float, float]) -> float:
    """The threshold with the highest mIoU; of equal ones the nearest to the default, then the smaller.

    Example:
        >>> best_tau({10.0: 0.8, 20.0: 0.9, 60.0: 0.9, math.inf: 0.9})
        20.0

    Raises:
        ValueError: there is none, or a score is no number.
    """
    if not miou or any(math.isnan(score) for score in miou.values()):
        raise ValueError(f"mIoU by tau is {dict(miou)}, expected a number for each of at least one tau")
    return min(miou, key=lambda tau: (-miou[tau], abs(tau - DEFAULT_TAU), tau))


def written_tau(tau: float) -> float | Literal["inf"]:
    """A threshold as recipes and JSON have it: the number, or the word ``inf``."""
    return "inf" if math.isinf(tau) else tau
