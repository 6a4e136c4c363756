"""Settings of the fit loop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.training.schedules import SCHEDULES

RESULT_FREE = ("minutes", "checkpoint_every", "workers")


@dataclass(frozen=True)
class FitConfig:
    """How long and with what optimiser to train; everything but the fields of ``RESULT_FREE`` shapes the weights."""

    steps: int = 400
    """Optimiser steps, fixed."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with Nesterov-free momentum."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    weight_decay: float = 1e-4
    """Decay of weight matrices and kernels; norms and biases are not decayed."""
    momentum: float = 0.9
    """Momentum of SGD."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's first and second moment."""
    schedule: str = "one_cycle"
    """Name of a schedule: constant, poly, cosine, one_cycle, warmup_cosine."""
    clip_norm: float | None = None
    """Largest norm of all gradients together; None clips nothing."""
    average: float | None = None
    """Decay of the moving average of the weights that is kept as the result; None keeps the last weights."""
    seed: int = 0
    """Seed of every random choice."""
    minutes: float | None = None
    """Optional cap on training time, summed over resumed runs; hitting it is recorded in the result."""
    checkpoint_every: int = 50
    """Steps between checkpoints."""
    workers: int = 0
    """Processes that load batches; 0 loads them in the training process."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "steps": (self.steps >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "betas": (len(self.betas) == 2 and 0 <= min(self.betas) <= max(self.betas) < 1, "two from 0 to below 1"),
            "clip_norm": (self.clip_norm is None or self.clip_norm > 0, "above 0, or none"),
            "average": (self.average is None or 0 <= self.average < 1, "0 to below 1, or none"),
            "minutes": (self.minutes is None or self.minutes > 0, "above 0, or none"),
            "checkpoint_every": (self.checkpoint_every >= 1, "at least 1"),
            "workers": (self.workers >= 0, "at least 0"),
            "optimizer": (self.optimizer in {"adamw", "sgd"}, "adamw or sgd"),
            "schedule": (self.schedule in SCHEDULES, f"one of {', '.join(sorted(SCHEDULES))}"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")

    def shaping(self) -> dict[str, Any]:
        """The settings that shape the weights, by name."""
        return {name: value for name, value in asdict(self).items() if name not in RESULT_FREE}

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of ``step`` (0..steps-1)."""
        return self.learning_rate * SCHEDULES[self.schedule](step / self.steps)


def make_optimizer(config: FitConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters of ``module``: one group decayed, one (norms, biases) not."""
    groups = [
        {"params": list(_trainable(module, lambda n: n > 1)), "weight_decay": config.weight_decay},
        {"params": list(_trainable(module, lambda n: n <= 1)), "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("the network has no trainable parameter")
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


def _trainable(module: nn.Module, dimensions: Any) -> Iterable[nn.Parameter]:
    return (p for p in module.parameters() if p.requires_grad and dimensions(p.ndim))
