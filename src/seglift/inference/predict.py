"""From one image to its logits, by a model and settings, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seglift.inference.multi_scale import multi_scale_logits, resize, view_logits
from seglift.inference.semantic_model import SemanticModel, preferred_short_side
from seglift.inference.settings import InferenceSettings
from seglift.inference.sliding_window import sliding_logits, tile_size
from seglift.models.compact_unet import image_places

DEFAULT = InferenceSettings()


class Predictor:
    """A semantic model that applies settings around another one: working size, scales, flip, tiles.

    Attributes:
        model: the model inside.
        settings: how images are looked at.
        space_classes: names of the output channels.
        short_side: None: it takes care of the size itself.
    """

    short_side: int | None = None

    def __init__(self, model: SemanticModel, settings: InferenceSettings = DEFAULT) -> None:
        self.model, self.settings, self.space_classes = model, settings, model.space_classes

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W]."""
        return self._put_back(self._at_working_size(images), (images.shape[-2], images.shape[-1]))

    @torch.no_grad()
    def views(self, images: Tensor) -> Iterator[Tensor]:
        """The logits of each view by itself: float32 [B, C, H, W] for images [B, 3, H, W] in 0..1, mirrored back."""
        seen, settings = self._seen(images), self.settings
        size, wanted = (seen.shape[-2], seen.shape[-1]), (images.shape[-2], images.shape[-1])
        between = wanted if settings.size is None else size
        tiled = self._tiled(self.model.logits, seen.shape[-2])
        for logits in view_logits(tiled, seen, settings.scales, settings.flip, between):
            yield self._put_back(logits, wanted)

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1, seen once at the working size, to features float32 [B, F, h, w]."""
        return self.model.features(self._shrunk(images))

    def _put_back(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits at the size of the image."""
        if self.settings.size is not None:
            return F.interpolate(logits, size, mode="nearest-exact")
        return resize(logits, *size)

    def _shrunk(self, images: Tensor) -> Tensor:
        return resize(images, *working_size(self.model, images.shape[-2], images.shape[-1], self.settings))

    def _at_working_size(self, images: Tensor) -> Tensor:
        seen, settings = self._seen(images), self.settings
        tiled = self._tiled(self.model.logits, seen.shape[-2])
        return multi_scale_logits(tiled, seen, settings.scales, settings.flip, settings.average)

    def _seen(self, images: Tensor) -> Tensor:
        """What the model is shown at scale 1: [B, 3, h, w], with x and y as channels 4 and 5 if it wants them."""
        seen = self._shrunk(images)
        return torch.cat((seen, image_places(seen)), dim=1) if getattr(self.model, "wants_places", False) else seen

    def _tiled(self, look: Callable[[Tensor], Tensor], height: int) -> Callable[[Tensor], Tensor]:
        """``look``, from images to maps, over the tiles of a view of an image that is ``height`` high at scale 1."""

        def tiled(view: Tensor) -> Tensor:
            settings, side = self.settings, self.settings.tile
            if side is not None and settings.growing_tiles:
                side = round(side * max(view.shape[-2] / height, 1.0))
            tile = tile_size(view.shape[-2], view.shape[-1], side, settings.max_pixels)
            return sliding_logits(look, view, tile, settings.overlap)

        return tiled


def working_size(model: SemanticModel, height: int, width: int, settings: InferenceSettings) -> tuple[int, int]:
    """(height, width) at which the model sees such an image: ``settings.size``, else never larger, proportions kept."""
    if settings.size is not None:
        return settings.size
    wanted = settings.short_side
    if wanted == "image":
        return height, width
    return shrunk_size(height, width, preferred_short_side(model) if wanted == "model" else int(wanted))


def shrunk_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """(height, width) with the short side at most ``short_side``, proportions kept to half a pixel; None: as it is."""
    scale = 1.0 if short_side is None else min(1.0, short_side / min(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def image_to_tensor(image: NDArray[np.uint8], device: str | torch.device = "cpu") -> Tensor:
    """An image uint8 [H, W, 3] to float32 [1, 3, H, W] in 0..1 on ``device``."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image uint8 [H,W,3] expected, got {image.dtype} {image.shape}")
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    return tensor.permute(2, 0, 1)[None].float().div_(255)
