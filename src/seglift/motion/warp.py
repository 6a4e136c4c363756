"""Warping images and labels by a sampling map (Zhu et al. 2019, section 3.1: the operator T)."""

from __future__ import annotations

import torch
from torch import Tensor

from seglift.motion.maps import sample_bilinear, sample_nearest


def warp_image(image: Tensor, sampling_map: Tensor) -> Tensor:
    """Samples an image bilinearly, the border replicated.

    Args:
        image: float32 ``[B, C, H, W]`` or uint8 ``[B, C, H, W]``.
        sampling_map: float32 ``[B, 2, h, w]`` source coordinates in pixels.

    Returns:
        ``[B, C, h, w]`` in the dtype and range of ``image``; uint8 is rounded to the nearest value.
    """
    if image.dtype == torch.uint8 and image.device.type != "cpu":
        return sample_bilinear(image.to(torch.float32), sampling_map).round().to(torch.uint8)
    return sample_bilinear(image, sampling_map)


def warp_labels(labels: Tensor, sampling_map: Tensor) -> Tensor:
    """Samples label ids by nearest neighbour, ``floor(coordinate + 0.5)``; never makes an id that was not there.

    Args:
        labels: uint8 (or another integer type) ``[B, H, W]``.
        sampling_map: float32 ``[B, 2, h, w]`` source coordinates in pixels.

    Returns:
        The dtype of ``labels``, ``[B, h, w]``; outside the source the border's label is replicated.
    """
    return sample_nearest(labels, sampling_map)
