"""Weights of the classes in a refiner's loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST_FREQUENCY = 1e-4


def class_weights(pixels: NDArray[np.int64], num_classes: int, power: float) -> Tensor:
    """The frequency of every class to the power of minus ``power``, so that rare ones are not taken for frequent ones.

    Args:
        pixels: int64 [256], pixels of each train id, 255 = ignored.
        num_classes: number C of classes.
        power: 0 (all equal) to 1.

    Returns:
        float32 [C + 1], those of the classes and of "ignored", mean 1 over the pixels.
    """
    counts = torch.from_numpy(np.append(pixels[:num_classes], pixels[-1])).double()
    frequency = counts / counts.sum()
    weights = frequency.clamp_min(SMALLEST_FREQUENCY) ** -power
    return (weights / (frequency * weights).sum()).float()
