"""What is made for one neighbour of a labelled frame, and what is noticed on the way there."""

from __future__ import annotations

from dataclasses import dataclass, field

from seglift.labels.instances import Array16
from seglift.labels.space import Array8


@dataclass(frozen=True)
class Neighbour:
    """What was made for one neighbour.

    Attributes:
        offset: signed distance from the labelled frame.
        labels: uint8 [H, W] raw ids.
        image: the warped picture, uint8 [H, W, 3] RGB; None where the real one is taken.
        instances: uint16 [H, W] in Cityscapes' encoding, None without.
        confidence: uint8 [H, W], 0..255 = 0..1, None where it was not asked for.
    """

    offset: int
    labels: Array8
    image: Array8 | None
    instances: Array16 | None
    confidence: Array8 | None


@dataclass
class Remarks:
    """What was noticed on the way.

    Attributes:
        unreadable: messages about frames that were left out.
        duplicates: neighbours that are exact copies of the frame beside them.
        behind_cuts: neighbours that were left out because a scene cut lies before them.
    """

    unreadable: list[str] = field(default_factory=list)
    duplicates: int = 0
    behind_cuts: int = 0
