"""How strongly fine labels must be coarsened for a given share of the pixels to stay labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.coarsen import LARGEST_STRENGTH, check_coarsenable, coarsen, labelled_share
from seglift.labels.space import Array8, LabelSpace

SMALLEST_STRENGTH = 1e-3
"""Up to it every object has the narrowest margin, in images of up to 2000 x 2000 pixels at 720 pixels' height."""
TOLERANCE = 1e-3
"""How near to its target a share has to be, of 0..1."""
MOST_STEPS = 16
NO_LABELS = "no labels to coarsen, expected at least one that can be read; choose another split or folder"


@dataclass(frozen=True)
class Calibration:
    """A strength for :func:`seglift.datasets.coarsen.coarsen`, and what it does.

    Attributes:
        strength: the larger, the less is labelled.
        share: mean over the labels of the share of labelled pixels, 0..1.
    """

    strength: float
    share: float


def calibrate(labels: Sequence[Array8], space: LabelSpace, target: float) -> Calibration:
    """The strength at which the labels are coarsened to a share, found by bisection of its logarithm.

    Labels that are few or have few objects change in leaps; the nearest share is taken where the target lies between
    two of them.

    Args:
        labels: uint8 [H, W] space index, of any sizes; at least one.
        space: label space, with a void.
        target: share of labelled pixels, 0..1, averaged over the labels: 0.6304 in the coarse labels of Cityscapes,
            0.6981 in those that Das et al. (WACV 2023, table 1) simulate for BDD100K.

    Returns:
        The strength, and the share that it reaches, within :data:`TOLERANCE` of the target wherever that is possible.

    Raises:
        UserError: the target is out of reach or no share, the space has no void, or there are no labels.
    """
    check_coarsenable(space)
    if not labels:
        raise UserError(NO_LABELS)
    if not 0 < target < 1:
        raise UserError(f"the target share of labelled pixels is {target}, expected one between 0 and 1; correct it")
    low, high = math.log(SMALLEST_STRENGTH), math.log(LARGEST_STRENGTH)
    tried = []
    for _ in range(MOST_STEPS):
        middle = (low + high) / 2
        tried.append(_try(labels, space, math.exp(middle)))
        if abs(tried[-1].share - target) <= TOLERANCE:
            return tried[-1]
        low, high = (middle, high) if tried[-1].share > target else (low, middle)
    most, least = _try(labels, space, 0.0), _try(labels, space, LARGEST_STRENGTH)
    _refuse_beyond(target, least.share, most.share)
    return min([*tried, most, least], key=lambda one: abs(one.share - target))


def reach(labels: Sequence[Array8], space: LabelSpace) -> tuple[float, float]:
    """The least and the largest share of labelled pixels, 0..1, that the labels can be coarsened to; see calibrate."""
    return _try(labels, space, LARGEST_STRENGTH).share, _try(labels, space, 0.0).share


def check_reach(labels: Sequence[Array8], space: LabelSpace, target: float) -> None:
    """Refuses what :func:`calibrate` would refuse, without looking for the strength.

    Raises:
        UserError: the target is out of reach, or there are no labels.
    """
    if not labels:
        raise UserError(NO_LABELS)
    _refuse_beyond(target, *reach(labels, space))


def _refuse_beyond(target: float, least: float, most: float) -> None:
    if not least - TOLERANCE <= target <= most + TOLERANCE:
        raise UserError(
            f"coarse labels of {100 * target:.1f} % labelled pixels were asked for, these labels can be coarsened to"
            f" {100 * least:.1f} to {100 * most:.1f} %; choose a share between them"
        )


def _try(labels: Sequence[Array8], space: LabelSpace, strength: float) -> Calibration:
    with threads_per_call(1):
        shares = work_ahead(
            lambda label: labelled_share(coarsen(label, space, strength), space), labels, worker_count()
        )
        return Calibration(strength, sum(shares) / len(labels))
