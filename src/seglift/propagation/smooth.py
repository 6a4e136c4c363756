"""Votes smoothed along the frame's own edges: a joint bilateral filter over what was voted."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 2
"""Pixels around one that it listens to, in each direction."""
SPATIAL_SIGMA = 1.0
"""Width of the filter in pixels."""
COLOR_SIGMA = 10.0
"""Width of the filter in RGB distance, 0..255 units."""


def grow(mask: Tensor, radius: int = RADIUS) -> Tensor:
    """Bool ``[1, H, W]``, true within ``radius`` pixels (in x and in y) of where ``mask`` is."""
    size = 2 * radius + 1
    return functional.max_pool2d(mask[:, None].float(), size, stride=1, padding=radius)[:, 0] > 0.5


def boundary(labels: Tensor) -> Tensor:
    """Pixels of uint8 ``[1, H, W]`` whose neighbour to the right, to the left, above or below has another label."""
    edges = torch.zeros_like(labels, dtype=torch.bool)
    across, down = labels[:, :, 1:] != labels[:, :, :-1], labels[:, 1:] != labels[:, :-1]
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    return edges


def smooth_votes(votes: Tensor, rows: Tensor, image: Tensor, pixels: Tensor) -> Tensor:
    """Votes of some pixels, averaged with those around them that look alike (Petschnig et al., SIGGRAPH 2004).

    Labels come from frames and networks whose edges are a pixel or two off; the frame's own edges are not. The weight
    of a neighbour falls with its distance and with the difference of its color from the pixel's own.

    Args:
        votes: float32 ``[N, K]``, normalised votes of N pixels.
        rows: int64 ``[H * W]``, the row of ``votes`` that belongs to each pixel; asked only within RADIUS of
            ``pixels``.
        image: the frame, RGB uint8 ``[1, 3, H, W]``.
        pixels: int64 ``[M]``, flat indices of the pixels.

    Returns:
        float32 ``[M, K]``, sums as those of ``votes``.
    """
    height, width = image.shape[2:]
    colors = image[0].flatten(1).T.float()
    y, x, own = pixels // width, pixels % width, colors[pixels]
    total, weights = torch.zeros(len(pixels), votes.shape[1], device=votes.device), torch.zeros_like(own[:, :1])
    for down in range(-RADIUS, RADIUS + 1):
        for right in range(-RADIUS, RADIUS + 1):
            near = (y + down).clamp_(0, height - 1) * width + (x + right).clamp_(0, width - 1)
            far = (down**2 + right**2) / (2.0 * SPATIAL_SIGMA**2)
            unlike = (colors[near] - own).square_().sum(1, keepdim=True).div_(-2.0 * COLOR_SIGMA**2)
            weight = unlike.sub_(far).exp_()
            total.addcmul_(votes[rows[near]], weight)
            weights += weight
    return total.div_(weights)
