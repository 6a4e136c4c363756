"""Semantic-only labels: what a segmentation model says of each frame (Ganeshan et al. 2021, section 4.2)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.base.threads import threads_per_call, worker_count
from seglift.inference.semantic_model import SemanticModel
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.propagation.fuse import Fused
from seglift.propagation.provenance import MODEL, NONE

PAPER_THRESHOLD = 0.9
"""Probability below which the paper leaves a pixel unlabelled (SPEC section 7)."""


@dataclass(frozen=True)
class SemanticLabeller:
    """A segmentation model that labels frames of a clip.

    Attributes:
        model: the model with its inference settings (see ``seglift.inference.predict.Predictor``).
        space: the label space of the labels.
        alone: nobody else computes meanwhile, so that a call may use every thread.
    """

    model: SemanticModel
    space: LabelSpace
    alone: bool = True

    def probabilities(self, image: Tensor) -> Tensor:
        """Probability of each evaluated class, float32 ``[1, C, H, W]``, for RGB uint8 ``[1, 3, H, W]``."""
        with threads_per_call(worker_count()) if self.alone else nullcontext():
            return self.model.logits(image.to(torch.float32) / 255.0).softmax(1)

    def labels(self, image: Tensor) -> Tensor:
        """The likeliest class of each pixel, space index uint8 ``[1, H, W]``, for RGB uint8 ``[1, 3, H, W]``."""
        return self.to_index(self.probabilities(image).argmax(1))

    def to_index(self, train: Tensor) -> Tensor:
        """Train ids (255 = none) of any integer type to space index uint8, same shape and device."""
        return torch.from_numpy(self.space.from_train(train.to(torch.uint8).cpu().numpy())).to(train.device)

    def class_indices(self) -> Tensor:
        """Space index of each train id, uint8 ``[C]``."""
        train = torch.arange(self.space.num_train, dtype=torch.uint8)
        return torch.from_numpy(self.space.from_train(train.numpy()[None])[0])

    def label_frame(self, image: Tensor, threshold: float | None = None) -> Fused:
        """The model's labels of one frame, its probability as confidence.

        Args:
            image: RGB uint8 ``[1, 3, H, W]``.
            threshold: leave pixels of less probability unlabelled; None labels all.
        """
        confidence, train = self.probabilities(image).max(1)
        provenance = torch.full(train.shape, MODEL, dtype=torch.uint8, device=image.device)
        if threshold is not None:
            doubtful = confidence <= threshold
            train = train.masked_fill(doubtful, IGNORE_TRAIN_ID)
            provenance = provenance.masked_fill(doubtful, NONE)
        return Fused(self.to_index(train), confidence, provenance)
