"""The three maps of a panoptic network as one tensor that may be averaged over tiles, scales and mirrored images.

Such maps are float32 [B, C + 3, H, W]: probabilities of C classes, heat of centres, rows and columns of offsets in
pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seglift.inference.multi_scale import SMALLEST_PROBABILITY, mean_of, views
from seglift.models.panoptic_output import PanopticOutput, resize_aligned, resize_offset


def to_maps(output: PanopticOutput) -> Tensor:
    """The maps of an output, float32 [B, C + 3, H, W]."""
    return torch.cat((output.semantic.softmax(1), output.centre, output.offset), 1)


def from_maps(maps: Tensor) -> PanopticOutput:
    """The output of maps [B, C + 3, H, W]; its logits are the logarithm of the probabilities."""
    classes = maps.shape[1] - 3
    probabilities, centre, offset = maps.split_with_sizes([classes, 1, 2], 1)
    return PanopticOutput(probabilities.clamp_min(SMALLEST_PROBABILITY).log_(), centre, offset)


def resize_maps(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps [B, C + 3, H, W] at another size, with offsets in pixels of that size (see ``resize_offset``)."""
    size = (height, width)
    if maps.shape[-2:] == size:
        return maps
    return torch.cat((resize_aligned(maps[:, :-2], size), resize_offset(maps[:, -2:], size)), 1)


def mirror_maps(maps: Tensor) -> Tensor:
    """Maps [B, C + 3, H, W] of a mirrored image, mirrored back: offsets to the right were to the left."""
    mirrored = maps.flip(-1)
    mirrored[:, -1].neg_()
    return mirrored


def multi_scale_maps(
    look: Callable[[Tensor], Tensor], images: Tensor, scales: Sequence[float] = (1.0,), flip: bool = False
) -> Tensor:
    """The average of maps over all scales, and over mirrored images if wanted (as Naive-Student, ECCV 2020, does).

    Args:
        look: images [B, 3, h, w] to maps [B, C + 3, h, w].
        images: float32 [B, 3, H, W] in 0..1.
        scales: factors of height and width; images are resized with aligned corners, as maps are.
        flip: whether each scale is also seen mirrored left and right.

    Returns:
        float32 [B, C + 3, H, W].

    Raises:
        ValueError: no scale.
    """
    height, width = images.shape[-2:]
    seen = views(images, scales, flip, lambda images, height, width: resize_aligned(images, (height, width)))
    return mean_of(
        resize_maps(mirror_maps(look(view)) if mirrored else look(view), height, width) for view, mirrored in seen
    )
