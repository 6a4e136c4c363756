"""How an image is looked at: at what size, how often, whole or in tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seglift.base.errors import UserError


@dataclass(frozen=True)
class InferenceSettings:
    """Size, scales, flip and tiles of inference."""

    short_side: int | Literal["model", "image"] = "model"
    """Images with a longer short side are shrunk to this many pixels; ``model``: what the model was trained for."""
    scales: tuple[float, ...] = (1.0,)
    """Scales (of the working size) over which the result is averaged."""
    flip: bool = False
    """Whether the mirrored image is averaged in, too."""
    average: Literal["logits", "probabilities"] = "logits"
    """What is averaged; the mean of probabilities is returned as its logarithm."""
    tile: int | None = None
    """Side of the tiles in pixels; none takes the image whole up to ``max_pixels``."""
    overlap: float = 0.25
    """Share of a tile that it has in common with the next, 0 to below 1."""
    max_pixels: int = 1 << 20
    """Largest image, in pixels, that the model sees at once; larger ones are cut into tiles."""
    size: tuple[int, int] | None = None
    """Height and width that every image is brought to, whatever its own; results are put back by nearest neighbour (the
    rule of Zhu et al., CVPR 2019, for KITTI: 384, 1280). Takes the place of ``short_side``."""
    growing_tiles: bool = False
    """Whether tiles at a scale above 1 are larger by it, so that they show as much of the scene (Zhu et al.)."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        side = self.short_side
        rules = {
            "short_side": (side in {"model", "image"} or (isinstance(side, int) and side >= 16), "16 or more pixels"),
            "scales": (len(self.scales) > 0 and min(self.scales, default=0) > 0, "numbers above 0"),
            "average": (self.average in {"logits", "probabilities"}, "logits or probabilities"),
            "tile": (self.tile is None or self.tile >= 16, "at least 16, or none"),
            "overlap": (0 <= self.overlap < 1, "0 to below 1"),
            "size": (self.size is None or min(self.size) >= 16, "16 or more pixels each, or none"),
            "max_pixels": (self.max_pixels >= 256, "at least 256"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")


LABELLING = InferenceSettings(flip=True, average="probabilities")
"""How a model looks at frames that it helps to label."""
