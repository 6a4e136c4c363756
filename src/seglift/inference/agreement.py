"""Labels that several views of an image agree on: the pseudo-labels of coarse-to-fine self-training (Das et al. 2023).

"Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.settings import InferenceSettings

CONFIDENCE = 0.9
"""Of Das et al.: what the probability of a pseudo-label has to exceed, 0..1."""


@dataclass(frozen=True)
class AgreementSettings(InferenceSettings):
    """Views of which all must agree, and how sure they must be together."""

    scales: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Scales (of the working size) at which the image is seen."""
    flip: bool = True
    """Whether it is also seen mirrored at each of them."""
    confidence: float = CONFIDENCE
    """A label is taken where the probability of its class, of the mean of the views, is above this; 0..1."""
    keep_balance: bool = False
    """Whether classes stay as likely as the training's ``class_balance`` made them, where the network undoes it
    otherwise (``compact_unet``), so that rare classes are filled, too."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if not 0 <= self.confidence < 1:
            raise UserError(f"confidence is {self.confidence!r}, expected 0 to below 1; change it")
        if self.average != "logits":
            raise UserError(f"average is {self.average!r}, expected logits, of which views that agree are averaged")


@dataclass(frozen=True)
class Agreed:
    """What the views of images say together.

    Attributes:
        labels: uint8 [B, H, W] train ids, the class of the largest mean logit.
        probability: float32 [B, H, W] of that class, 0..1; NaN where the logits are no numbers.
        accepted: bool [B, H, W], where all views say the same and the probability is high enough.
    """

    labels: Tensor
    probability: Tensor
    accepted: Tensor


@torch.no_grad()
def agree(views: Iterable[Tensor], confidence: float = CONFIDENCE) -> Agreed:
    """Accepts a pixel's class where it is the best of every view, and more probable than ``confidence`` in their mean.

    Args:
        views: logits float [B, C, H, W] of each view, all as those of the image as it is; two are held at a time.
        confidence: what softmax of the mean logits has to exceed.

    Raises:
        ValueError: no view, or views of several shapes.
    """
    total, first, same, count = None, None, None, 0
    for logits in views:
        best = logits.argmax(1)
        if total is None or first is None or same is None:
            total, first, same = logits, best, torch.ones_like(best, dtype=torch.bool)
        elif logits.shape != total.shape:
            raise ValueError(f"views of one shape expected, got {tuple(total.shape)} and {tuple(logits.shape)}")
        else:
            total, same = total + logits, same & (best == first)
        count += 1
    if total is None or same is None:
        raise ValueError("at least one view is needed")
    mean = total / count
    best, labels = mean.max(1)
    probability = (best - mean.logsumexp(1)).exp()
    return Agreed(labels.to(torch.uint8), probability, same & (probability > confidence))
