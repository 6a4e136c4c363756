"""What a procedural street clip is made from."""

from __future__ import annotations

from dataclasses import dataclass

from seglift.base.errors import UserError
from seglift.datasets.streets.styles import STYLES

EGO_MOTIONS = ("auto", "forward", "turning", "standing")
SMALLEST, LARGEST = 32, 8192
LONGEST = 180


@dataclass(frozen=True)
class StreetConfig:
    """One clip; equal configurations give equal bytes.

    Attributes:
        frames: number of frames, at least 1 and no more than 180 seconds at ``rate``.
        height, width: pixels, 32..8192.
        seed: chooses the street, its traffic and the light.
        style: a name in ``STYLES``.
        rate: frames per second.
        ego: "forward", "turning", "standing", or "auto" (by seed).
        noise: whether the sensor adds noise.
        hood: whether the bonnet of the camera car is in view (id 1, ego vehicle).

    Raises:
        UserError: a value is out of range.
    """

    frames: int = 40
    height: int = 256
    width: int = 512
    seed: int = 0
    style: str = "daylight"
    rate: float = 17.0
    ego: str = "auto"
    noise: bool = True
    hood: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"streets of {self.frames} frames, expected at least 1; raise the number of frames")
        if not (SMALLEST <= self.height <= LARGEST and SMALLEST <= self.width <= LARGEST):
            size = f"{self.width}x{self.height}"
            raise UserError(f"streets of {size} pixels, expected {SMALLEST}..{LARGEST} a side; change height or width")
        if self.style not in STYLES:
            raise UserError(f"unknown street style {self.style!r}, expected one of {', '.join(STYLES)}; choose one")
        if self.ego not in EGO_MOTIONS:
            raise UserError(f"unknown ego motion {self.ego!r}, expected one of {', '.join(EGO_MOTIONS)}; choose one")
        if not self.rate > 0:
            raise UserError(f"a rate of {self.rate} frames/s, expected more than 0; raise it")
        if self.frames / self.rate > LONGEST:
            seconds = f"{self.frames / self.rate:.0f} s"
            raise UserError(f"a street clip of {seconds}, expected at most {LONGEST} s; write more and shorter clips")
