"""What every part that needs a panoptic segmentation asks for, and one that looks at images as settings say."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.panoptic.maps import from_maps, multi_scale_maps, resize_maps, to_maps
from seglift.inference.predict import DEFAULT, Predictor
from seglift.inference.semantic_model import SemanticModel
from seglift.inference.settings import InferenceSettings
from seglift.models.panoptic_output import PanopticOutput

SEEN_WHOLE = 1 << 23
"""Pixels up to which an image that is to show instances, which tiles would cut, is seen whole where nothing else is
said: Cityscapes at scale 2."""


@runtime_checkable
class PanopticModel(SemanticModel, Protocol):
    """A semantic model that also tells instances apart."""

    def panoptic(self, images: Tensor) -> PanopticOutput:
        """Images float32 [B, 3, H, W] in 0..1 to logits, centre heatmap and offsets at their size, without a graph."""


def require_panoptic(model: SemanticModel, what: str) -> PanopticModel:
    """``model`` as a panoptic one.

    Args:
        model: what ``load_model`` gave.
        what: where it came from, for the error.

    Raises:
        UserError: it does not tell instances apart.
    """
    if not isinstance(model, PanopticModel):
        raise UserError(
            f"{what} has no instance heads (centres and offsets), expected a panoptic model; give one that was trained"
            " to tell instances apart"
        )
    return model


class PanopticPredictor(Predictor):
    """A panoptic model that applies settings around another one: working size, scales, flip, tiles.

    Probabilities, heat and offsets are averaged, whatever the settings say is averaged of logits.
    """

    def __init__(self, model: PanopticModel, settings: InferenceSettings = DEFAULT) -> None:
        super().__init__(model, settings)
        self.instances = model

    @torch.no_grad()
    def panoptic(self, images: Tensor) -> PanopticOutput:
        """Images float32 [B, 3, H, W] in 0..1 to logits (of the mean probabilities), centre heatmap and offsets."""
        seen = self._seen(images)
        tiled = self._tiled(lambda view: to_maps(self.instances.panoptic(view)), seen.shape[-2])
        maps = multi_scale_maps(tiled, seen, self.settings.scales, self.settings.flip)
        return from_maps(resize_maps(maps, images.shape[-2], images.shape[-1]))
