"""The colours of one image given to another: mean and spread of each channel."""

from __future__ import annotations

from torch import Tensor

SMALLEST_SPREAD = 1e-3
"""Standard deviations below it count as this, so that an image of one colour stays one."""


def match_colors(image: Tensor, reference: Tensor) -> Tensor:
    """An image whose channels have mean and standard deviation of those of a reference, up to clipping.

    After Reinhard et al., "Color Transfer between Images" (2001), but in RGB.

    Args:
        image: float32 [3, h, w] in 0..1.
        reference: float32 [3, H, W] in 0..1.

    Returns:
        A new float32 [3, h, w] in 0..1.
    """
    own = image.std((1, 2), correction=0, keepdim=True).clamp_min(SMALLEST_SPREAD)
    wanted = reference.std((1, 2), correction=0, keepdim=True)
    centred = image - image.mean((1, 2), keepdim=True)
    return (centred * (wanted / own) + reference.mean((1, 2), keepdim=True)).clamp_(0, 1)
