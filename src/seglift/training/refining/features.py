"""The frozen segmentation model's features of views, as it would give them for those parts of whole images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.inference.multi_scale import resize
from seglift.inference.predict import shrunk_size
from seglift.inference.semantic_model import SemanticModel, preferred_short_side


@dataclass(frozen=True)
class FrozenFeatures:
    """Features of crops.

    Attributes:
        model: the segmentation model, without settings around it.
    """

    model: SemanticModel

    def scale_of(self, height: int, width: int) -> float:
        """By how much the model has whole images of this size shrunk, at most 1."""
        return shrunk_size(height, width, preferred_short_side(self.model))[0] / height

    @torch.no_grad()
    def __call__(self, images: Tensor, places: Tensor, scales: Tensor, size: tuple[int, int]) -> Tensor:
        """Features of views.

        Args:
            images: float32 ``[B, 3, h, w]`` in 0..1.
            places: x and y of each pixel in its whole image, -1..1, float32 ``[B, 2, h, w]``.
            scales: what :meth:`scale_of` says of each view's image, ``[B]``, on the CPU.
            size: height and width to which features are brought where the views' scales differ.

        Returns:
            float32 ``[B, F, ...]``.
        """
        seen = torch.cat((images, places), 1) if getattr(self.model, "wants_places", False) else images
        wanted = scales.tolist()
        if len(set(wanted)) == 1:
            return self._at(seen, wanted[0])
        each = [self._at(view[None], scale) for view, scale in zip(seen, wanted, strict=True)]
        return torch.cat([F.interpolate(one, size, mode="bilinear", align_corners=False) for one in each])

    def _at(self, seen: Tensor, scale: float) -> Tensor:
        height, width = (max(1, round(scale * side)) for side in seen.shape[-2:])
        return self.model.features(resize(seen, height, width))
