"""Votes of carried labels for the classes of single pixels, read between the keyframe's pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from seglift.propagation.state import Propagated

SIGMA = 0.8
"""Width, in pixels of the keyframe, of the Gaussian with which a label map is read between its pixels."""


def add_votes(votes: Tensor, state: Propagated, weight: Tensor, pixels: Tensor) -> None:
    """Adds what ``state`` says about some pixels: its keyframe's labels around where each pixel lies.

    The 3 x 3 labels around the sampled position vote with Gaussian weights that sum to the pixel's ``weight``, so that
    a thin object or an edge keeps its share though motion is never right to the pixel.

    Args:
        votes: float32 ``[N, K]`` for N pixels and K space indices, added to in place.
        state: a carried keyframe of batch size 1.
        weight: float32 ``[N]``.
        pixels: int64 ``[N]``, flat indices of the pixels.
    """
    labels = state.origin.labels[0]
    height, width = labels.shape
    x, y = state.trace[0, :2].permute(1, 2, 0).reshape(-1, 2)[pixels].unbind(1)
    centre_x, centre_y = torch.floor(x + 0.5), torch.floor(y + 0.5)
    offsets = torch.arange(-1.0, 2.0, device=x.device)[:, None]
    taps_x = torch.exp((offsets - (x - centre_x)).square() / (-2.0 * SIGMA**2))
    taps_y = torch.exp((offsets - (y - centre_y)).square() / (-2.0 * SIGMA**2))
    weight = weight / (taps_x.sum(0) * taps_y.sum(0))
    columns = (centre_x + offsets).clamp_(0, width - 1).long()
    rows = (centre_y + offsets).clamp_(0, height - 1).long()
    for row, tap_y in zip(rows, taps_y, strict=True):
        for column, tap_x in zip(columns, taps_x, strict=True):
            choice = labels[row, column].long()[:, None]
            votes.scatter_add_(1, choice, (weight * tap_y * tap_x)[:, None])
