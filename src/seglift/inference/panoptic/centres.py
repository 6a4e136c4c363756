"""Centres of instances: the peaks of a heatmap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.inference.panoptic.settings import PanopticSettings


@dataclass(frozen=True, eq=False)
class Centres:
    """K peaks of a heatmap, the hottest first, equal ones in reading order.

    Attributes:
        positions: int64 [K, 2], row and column.
        heat: float32 [K].
    """

    positions: Tensor
    heat: Tensor


def find_centres(heatmap: Tensor, settings: PanopticSettings) -> Centres:
    """Peaks above the threshold that no pixel of the window around them exceeds (Panoptic-DeepLab, section 3.2).

    All pixels of a plateau are peaks, as in the published max-pooling.

    Args:
        heatmap: float32 [H, W].
        settings: ``threshold``, ``window`` and ``most``.

    Raises:
        ValueError: another shape.
    """
    if heatmap.ndim != 2:
        raise ValueError(f"a heatmap [H, W] is expected, got {tuple(heatmap.shape)}")
    peaks = (heatmap > settings.threshold) & (heatmap == _highest_around(heatmap, settings.window // 2))
    positions = peaks.nonzero()
    heat = heatmap[positions[:, 0], positions[:, 1]]
    order = heat.argsort(descending=True, stable=True)[: settings.most]
    return Centres(positions[order], heat[order])


def _highest_around(values: Tensor, radius: int) -> Tensor:
    """Maximum over the square of ``2 * radius + 1`` pixels around each, [H, W].

    Rows, then columns, one shifted copy at a time: on a CPU an order faster than max-pooling.
    """
    height, width = values.shape
    padded = F.pad(values, (radius, radius), value=-torch.inf)
    rows = padded[:, :width].clone()
    for shift in range(1, 2 * radius + 1):
        torch.maximum(rows, padded[:, shift : shift + width], out=rows)
    padded = F.pad(rows, (0, 0, radius, radius), value=-torch.inf)
    result = padded[:height].clone()
    for shift in range(1, 2 * radius + 1):
        torch.maximum(result, padded[shift : shift + height], out=result)
    return result
