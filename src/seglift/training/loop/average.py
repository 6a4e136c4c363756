"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class WeightAverage:
    """Keeps ``average = d * average + (1 - d) * weights`` for every floating tensor of a state dict.

    The decay ``d = min(decay, (1 + n) / (10 + n))`` after n updates, so that the random start is soon forgotten.
    Integer tensors (counters) are copied.

    Args:
        state: the state dict to start from; it is copied.
        decay: largest decay, 0 <= decay < 1.
    """

    def __init__(self, state: Mapping[str, Tensor], decay: float) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"a decay lies in 0 <= decay < 1, got {decay}")
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}

    @torch.no_grad()
    def update(self, state: Mapping[str, Tensor], step: int) -> None:
        """Mixes in the weights ``state`` after ``step`` (0, 1, ...) earlier updates."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in state.items():
            kept = self.tensors[name]
            if kept.is_floating_point():
                kept.lerp_(tensor.detach().to(kept.device), 1.0 - decay)
            else:
                kept.copy_(tensor)
