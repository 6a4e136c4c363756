"""Class probabilities in place of features: they mean the same for every model of the same classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.inference.semantic_model import SemanticModel, preferred_short_side

STRIDE = 4
"""Pixels along a side that one feature stands for."""


class ClassFeatures:
    """A :class:`~seglift.inference.semantic_model.SemanticModel` that gives class probabilities as features.

    What it said of the last images is kept, so that logits and features of one frame cost one look. Threads may share
    it where they may share the model inside.

    Attributes:
        model: the model inside, with its inference settings.
        space_classes: names of the output channels.
        short_side: as the model's.
    """

    def __init__(self, model: SemanticModel) -> None:
        self.model, self.space_classes = model, model.space_classes
        self.short_side = preferred_short_side(model)
        self._last: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W], not to be written to."""
        last = self._last  # another thread may put its own there meanwhile
        if last is None or not torch.equal(last[0], images):
            last = self._last = images.clone(), self.model.logits(images)
        return last[1]

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to probabilities float32 [B, C, ceil(H / 4), ceil(W / 4)], area means."""
        size = [math.ceil(side / STRIDE) for side in images.shape[-2:]]
        return F.interpolate(self.logits(images).softmax(1), size, mode="area")
