"""How centre heatmap, offsets and semantic logits become segments."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seglift.base.errors import UserError
from seglift.labels.instances import CITYSCAPES_FACTOR

REFERENCE_PIXELS = 1024 * 2048
"""Size of the image that the limit for stuff is stated for."""


@dataclass(frozen=True)
class PanopticSettings:
    """Limits of the post-processing of Panoptic-DeepLab (Cheng et al., CVPR 2020, section 3.2, and its release)."""

    threshold: float = 0.1
    """Heat above which a pixel can be a centre, 0 to 1."""
    window: int = 7
    """Side, in pixels, of the square in which a centre must be the hottest."""
    most: int = 200
    """Number of centres kept, the hottest; at most 1000, which instance files can number within a class."""
    stuff_area: float = 4096
    """Pixels that a stuff class needs in an image of 1024 x 2048 not to become void; in others in proportion to their
    area (Naive-Student: 4096, Panoptic-DeepLab: 2048)."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "threshold": (0 <= self.threshold <= 1, "0 to 1"),
            "window": (self.window >= 1 and self.window % 2 == 1, "an odd number of pixels"),
            "most": (1 <= self.most <= CITYSCAPES_FACTOR, f"1 to {CITYSCAPES_FACTOR}"),
            "stuff_area": (0 <= self.stuff_area < math.inf, "0 or more pixels"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")

    def stuff_limit(self, height: int, width: int) -> float:
        """Pixels below which a stuff class of an image of that size becomes void."""
        return self.stuff_area * (height * width) / REFERENCE_PIXELS
