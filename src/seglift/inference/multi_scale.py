"""A model run over scaled and mirrored images, the results averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


def views(
    images: Tensor,
    scales: Sequence[float],
    flip: bool,
    resized: Callable[[Tensor, int, int], Tensor] = resize,
) -> Iterator[tuple[Tensor, bool]]:
    """The images at each scale, as they are and, if wanted, mirrored left and right.

    Args:
        images: float32 [B, 3, H, W].
        scales: factors of height and width.
        flip: whether each scale is also seen mirrored.
        resized: brings images to a height and a width.

    Yields:
        float32 [B, 3, h, w], and whether it is mirrored.

    Raises:
        ValueError: no scale.
    """
    if not scales:
        raise ValueError("at least one scale is needed")
    height, width = images.shape[-2:]
    for scale in scales:
        seen = resized(images, max(1, round(height * scale)), max(1, round(width * scale)))
        yield seen, False
        if flip:
            yield seen.flip(-1), True


def mean_of(parts: Iterator[Tensor]) -> Tensor:
    """The mean of one or more tensors of one shape, of which two are held at a time."""
    total, count = next(parts), 1
    for part in parts:
        total, count = total + part, count + 1
    return total / count if count > 1 else total


def view_logits(
    logits: Callable[[Tensor], Tensor], images: Tensor, scales: Sequence[float], flip: bool, size: tuple[int, int]
) -> Iterator[Tensor]:
    """The logits of each view by itself, all as those of the unmirrored image.

    Args:
        logits: images [B, 3, h, w] to logits [B, C, h, w].
        images: float32 [B, 3, H, W] in 0..1.
        scales: factors of height and width.
        flip: whether each scale is also seen mirrored left and right.
        size: height and width to which the logits are brought, bilinearly.

    Yields:
        float32 [B, C, *size].
    """
    for seen, mirrored in views(images, scales, flip):
        part = logits(seen)
        yield resize(part.flip(-1) if mirrored else part, *size)


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
    size = (images.shape[-2], images.shape[-1])
    parts = view_logits(logits, images, scales, flip, size)
    mean = mean_of(part.softmax(1) if average == "probabilities" else part for part in parts)
    return torch.log(mean.clamp_min(SMALLEST_PROBABILITY)) if average == "probabilities" else mean
