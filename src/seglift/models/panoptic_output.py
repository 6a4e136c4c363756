"""What a panoptic network says about images: classes, centres of instances, and where each pixel's centre lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class PanopticOutput:
    """Three maps of one size (Cheng et al., "Panoptic-DeepLab", CVPR 2020).

    Attributes:
        semantic: logits float32 [B, C, H, W].
        centre: heatmap of the instances' centres, float32 [B, 1, H, W], 1 at a centre.
        offset: from each pixel to the centre of its instance, float32 [B, 2, H, W], rows (dy) and columns (dx) in
            pixels of the input.
    """

    semantic: Tensor
    centre: Tensor
    offset: Tensor


def resize_aligned(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps float [B, K, h, w] to [B, K, H, W] of ``size``, bilinear; corner pixels stay at the corners."""
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=True)


def resize_offset(offset: Tensor, size: Sequence[int]) -> Tensor:
    """Offsets float [B, 2, h, w] in their own pixels to [B, 2, H, W] in those of ``size``.

    As :func:`resize_aligned`, and their values grow by the ratio of the distances between corners, (H - 1) / (h - 1)
    for rows. A single row or column is taken for two.
    """
    factors = [(new - 1) / max(old - 1, 1) for new, old in zip(size, offset.shape[-2:], strict=True)]
    return resize_aligned(offset, size) * torch.tensor(factors, dtype=offset.dtype, device=offset.device).view(2, 1, 1)
