"""Signs of whether a carried label is right: does the keyframe look the same there, and how deep inside its label."""

from __future__ import annotations

from dataclasses import replace

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from seglift.motion.maps import sample_bilinear
from seglift.motion.warp import warp_image
from seglift.propagation.state import Propagated

SUPPORT_SIGMA = 0.8
PHOTOMETRIC_SIGMA = 1.5


def label_support(labels: Tensor) -> Tensor:
    """Share of a pixel's neighbourhood that has its own label: 1 inside, small on thin or ragged parts and at edges.

    Args:
        labels: uint8 ``[B, H, W]``.

    Returns:
        float32 ``[B, H, W]`` in (0, 1]: Gaussian-weighted (sigma 0.8 pixels) over 5 x 5, the border replicated.
    """
    weights = _gaussian(SUPPORT_SIGMA, 2)
    height, width = labels.shape[-2:]
    padded = functional.pad(labels[None].float(), (2, 2, 2, 2), mode="replicate")[0].to(labels.dtype)
    support = torch.zeros(labels.shape, dtype=torch.float32, device=labels.device)
    for row, vertical in enumerate(weights):
        for column, horizontal in enumerate(weights):
            same = padded[:, row : row + height, column : column + width] == labels
            support.add_(same, alpha=vertical * horizontal)
    return support


def observe(state: Propagated, image: Tensor) -> Propagated:
    """Adds evidence to a state.

    Args:
        state: on the frame whose image is given.
        image: RGB uint8 ``[B, 3, H, W]``.

    Returns:
        The state with ``evidence``, float32 ``[B, 2, H, W]``: photometric error of the keyframe's image warped here (the
        largest difference of a colour channel, 0..255, smoothed with sigma 1.5 pixels), and the support of the
        keyframe's label where it was taken (see :func:`label_support`).
    """
    warped = warp_image(state.origin.image, state.sampling_map)
    error = _largest_difference(warped, image)
    support = sample_bilinear(state.origin.support[:, None], state.sampling_map)
    return replace(state, evidence=torch.cat((_smooth(error), support), dim=1))


def _largest_difference(first: Tensor, second: Tensor) -> Tensor:
    """``max_c |first - second|`` of uint8 images ``[B, 3, H, W]``, as float32 ``[B, 1, H, W]``."""
    difference = torch.maximum(first, second) - torch.minimum(first, second)
    return difference.amax(1, keepdim=True).to(torch.float32)


def _smooth(values: Tensor) -> Tensor:
    """Gaussian smoothing of float32 ``[B, 1, H, W]``, sigma 1.5 pixels over 13 x 13, the border mirrored."""
    radius = int(4 * PHOTOMETRIC_SIGMA)
    if values.device.type == "cpu":
        size = (2 * radius + 1, 2 * radius + 1)
        out = torch.empty_like(values)
        for item in range(values.shape[0]):
            cv2.GaussianBlur(values[item, 0].numpy(), size, PHOTOMETRIC_SIGMA, out[item, 0].numpy())
        return out
    kernel = torch.tensor(_gaussian(PHOTOMETRIC_SIGMA, radius), device=values.device)
    padded = functional.pad(values, (radius, radius, radius, radius), mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def _gaussian(sigma: float, radius: int) -> list[float]:
    positions = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-(positions**2) / (2 * sigma**2))
    return [float(value) for value in kernel / kernel.sum()]
