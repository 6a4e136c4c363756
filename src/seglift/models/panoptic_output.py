"""What a panoptic network says about images: classes, centres of instances, and where each pixel's centre lies."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
