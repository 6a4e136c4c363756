"""Mean and standard deviation of flows, by which a motion network normalises them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

SAMPLE = 32
"""Views whose flows are looked at."""
LEAST_STD = 0.5
"""Pixels; the network's motion is measured in it too, so video that hardly moves must not make it vanish."""
DECIMALS = 4


def flow_statistics(flows: Iterable[Tensor]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean and standard deviation of dx and dy over all pixels, pixels, rounded to 4 decimals.

    Args:
        flows: float [..., 2, h, w]; at least one.

    Returns:
        Means, and standard deviations of at least ``LEAST_STD``.
    """
    number, total, squares = 0, torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for flow in flows:
        values = flow.detach().cpu().double().transpose(-3, -1).flatten(0, -2)
        number += len(values)
        total += values.sum(0)
        squares += values.square().sum(0)
    mean = total / number
    std = (squares / number - mean.square()).clamp_min(0).sqrt().clamp_min(LEAST_STD)
    (mean_x, mean_y), (std_x, std_y) = ([round(value, DECIMALS) for value in values.tolist()] for values in (mean, std))
    return (mean_x, mean_y), (std_x, std_y)
