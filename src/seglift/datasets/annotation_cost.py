"""What annotation costs: minutes a person needs for an image, and the hours of a plan.

Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 4: a fine label of
Cityscapes takes 90 minutes and a coarse one 7; 75 is their figure for a fine label of BDD100k. What is drawn by a
program is free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from seglift.base.errors import UserError

FINE, COARSE = "fine", "coarse"
MINUTES: Mapping[str, float] = {FINE: 90.0, "fine_bdd100k": 75.0, COARSE: 7.0, "synthetic": 0.0}
"""Minutes for one image, by kind of label."""
ROUNDING = 1e-9


def annotation_hours(images: Mapping[str, float], minutes: Mapping[str, float] = MINUTES) -> float:
    """Hours that a person needs.

    Args:
        images: number of images by kind of label.
        minutes: for one image, by kind of label.

    Raises:
        UserError: a kind without minutes, or a number below 0.

    Example:
        >>> annotation_hours({"fine": 50, "coarse": 500, "synthetic": 500})
        133.33333333333334
    """
    for kind, count in images.items():
        if kind not in minutes:
            raise UserError(
                f"no minutes are known for labels of kind {kind!r}, expected one of {', '.join(minutes)};"
                " correct it or give its minutes"
            )
        if not (count >= 0 and minutes[kind] >= 0):
            raise UserError(f"{count} labels of kind {kind!r} at {minutes[kind]} minutes; expected no number below 0")
    return sum(count * minutes[kind] for kind, count in images.items()) / 60.0


def labels_within(hours: float, minutes: float) -> int:
    """How many labels a person makes in ``hours`` at ``minutes`` each, rounded down.

    Raises:
        UserError: one of them is not above 0.
    """
    if not (hours > 0 and minutes > 0):
        raise UserError(f"{hours:g} hours at {minutes:g} minutes a label, expected both above 0; correct them")
    return math.floor(hours * 60.0 / minutes * (1.0 + ROUNDING))
