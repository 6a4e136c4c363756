"""A model run over scaled and mirrored images, the results averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST_PROBABILITY = 1e-12


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Bilinear (align_corners False, antialiased when shrinking) to [B, C, height, width]; the same tensor if equal."""
    if images.shape[-2:] == (height, width):
        return images
    smaller = height < images.shape[-2] or width < images.shape[-1]
    return F.interpolate(images, size=(height, width), mode="bilinear", align_corners=False, antialias=smaller)


def multi_scale_logits(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    average: Literal["logits", "probabilities"] = "logits",
) -> Tensor:
    """The average over all scales, and over mirrored images if wanted.

    Args:
        logits: images [B, 3, h, w] to logits [B, C, h, w].
        images: float32 [B, 3, H, W] in 0..1.
        scales: factors of height and width.
        flip: whether each scale is also seen mirrored left and right.
        average: the mean of logits, or the logarithm of the mean of probabilities.

    Returns:
        float32 [B, C, H, W].
    """
    height, width = images.shape[-2:]
    total: Tensor | None = None
    views = [(scale, mirrored) for scale in scales for mirrored in ((False, True) if flip else (False,))]
    for scale, mirrored in views:
        seen = resize(images, max(1, round(height * scale)), max(1, round(width * scale)))
        part = logits(seen.flip(-1)).flip(-1) if mirrored else logits(seen)
        part = resize(part, height, width)
        if average == "probabilities":
            part = part.softmax(1)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("at least one scale is needed")
    mean = total / len(views) if len(views) > 1 else total
    return torch.log(mean.clamp_min(SMALLEST_PROBABILITY)) if average == "probabilities" else mean
