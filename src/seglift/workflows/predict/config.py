"""What can be asked of ``seglift predict``: one frozen record, and its options from the words of a command line."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from seglift.base.errors import UserError
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.settings import InferenceSettings

OVERLAP = 1 / 3
PAPER_SETTINGS = InferenceSettings(overlap=OVERLAP, growing_tiles=True)
"""Zhu et al., CVPR 2019, as released: logits averaged, tiles that grow with the scale and overlap by a third."""


@dataclass(frozen=True)
class PredictConfig:
    """Options of ``seglift predict``.

    Attributes:
        frames: a video, a folder of images or a tree of them.
        model: anything ``load_model`` takes.
        space: label space of the results, a name or a file.
        out: folder that the results are written to.
        settings: how images are looked at.
        panoptic: how the maps of a panoptic model become segments.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        overwrite: start anew in an OUT of other options.
        color: also write pictures in the classes' colours.
        confidence: also write the probability of the class that won.
    """

    frames: Path
    model: str
    space: str
    out: Path
    settings: InferenceSettings = field(default=PAPER_SETTINGS)
    panoptic: PanopticSettings = field(default=PanopticSettings())
    device: str = "auto"
    overwrite: bool = False
    color: bool = False
    confidence: bool = False

    def __post_init__(self) -> None:
        """Refuses options that contradict each other with a UserError."""
        if self.settings.size is not None and self.settings.short_side != "model":
            raise UserError("--size and --short-side both say how large images are to be; give one of them")

    def label_options(self) -> dict[str, Any]:
        """The options that can change a label (model and space are identified by content), JSON-serialisable."""
        values = asdict(self.settings)
        values["scales"] = list(self.settings.scales)
        values["size"] = None if self.settings.size is None else list(self.settings.size)
        return {**values, "stuff_area": self.panoptic.stuff_area, "device": self.device}


def parse_scales(text: str) -> tuple[float, ...]:
    """``"0.5,1,2"`` to numbers.

    Raises:
        UserError: something else than numbers above 0, or one of them twice.
    """
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales) or len(set(scales)) < len(scales):
        raise UserError(f"--scales is '{text}', expected different numbers above 0 with commas, such as 0.5,1,2")
    return scales


def parse_short_side(text: str) -> int | Literal["model", "image"]:
    """``"model"``, ``"image"`` or pixels.

    Raises:
        UserError: none of these.
    """
    if text == "model":
        return "model"
    if text == "image":
        return "image"
    if not text.isdecimal() or int(text) < 16:
        raise UserError(f"--short-side is '{text}', expected model, image, or 16 or more pixels")
    return int(text)


def parse_size(text: str | None) -> tuple[int, int] | None:
    """``"1280x384"`` (width x height) to (height, width).

    Raises:
        UserError: something else, or fewer than 16 pixels.
    """
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not width.isdecimal() or not height.isdecimal() or min(int(width), int(height)) < 16:
        raise UserError(f"--size is '{text}', expected WIDTHxHEIGHT of 16 or more pixels each, such as 1280x384")
    return int(height), int(width)
