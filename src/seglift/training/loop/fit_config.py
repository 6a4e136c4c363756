"""Settings of the fit loop."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, Self

from seglift.base.errors import UserError
from seglift.training.loop.schedules import SCHEDULES, multistep, poly, warmup

RESULT_FREE = ("minutes", "checkpoint_every", "log_every", "tensorboard", "workers")
OPTIMIZERS = ("adam", "adamw", "muon", "sgd")
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
VALIDATIONS = 10
"""Validations of a training that does not say how often it wants them."""


@dataclass(frozen=True)
class FitConfig:
    """How long and with what optimiser to train; everything but the fields of ``RESULT_FREE`` shapes the weights."""

    steps: int = 400
    """Optimiser steps, fixed."""
    epochs: int | None = None
    """Length in epochs, instead of steps."""
    optimizer: Literal["adam", "adamw", "muon", "sgd"] = "adamw"
    """Adam, AdamW, SGD with Nesterov-free momentum, or Muon, which learns faster from random weights."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    weight_decay: float = 1e-4
    """Decay of weight matrices and kernels."""
    decay_norms: bool = False
    """Whether norms and biases decay too."""
    momentum: float = 0.9
    """Momentum of SGD."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the first and second moment of Adam, AdamW and what Muon leaves to AdamW."""
    schedule: str = "one_cycle"
    """Name of a schedule: constant, poly, cosine, one_cycle, warmup_cosine, multistep."""
    power: float = 0.9
    """Exponent of the schedule poly."""
    milestones: tuple[float, ...] = (0.5, 0.9)
    """Shares of the training, 0..1, at which the schedule multistep lowers the learning rate to a tenth."""
    schedule_per: Literal["step", "epoch"] = "step"
    """Whether the schedule moves on with each step or with each epoch."""
    warmup_steps: int = 0
    """First steps, in which the learning rate rises to what the schedule says on a straight line."""
    warmup_from: float = 0.01
    """Factor of the learning rate where that line begins."""
    clip_norm: float | None = None
    """Largest norm of all gradients together; None clips nothing."""
    average: float | None = None
    """Decay of the moving average of the weights that is kept as the result; None keeps the last weights."""
    accumulate: int = 1
    """Parts in which each process works through its share of a batch, for less memory."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    """Number format inside the network: float32, or mixed with 16 bit."""
    sync_batch_norm: bool = False
    """Whether batch norms take their statistics over the batches of all processes, which needs CUDA; nothing in one."""
    seed: int = 0
    """Seed of every random choice."""
    validate_every: int | None = None
    """Steps between validations; None: a tenth of all, so ten validations. The last step is always validated."""
    minutes: float | None = None
    """Optional cap on training time, summed over resumed runs; hitting it is recorded in the result."""
    checkpoint_every: int = 50
    """Steps between checkpoints."""
    log_every: int = 10
    """Steps between rows of metrics.csv."""
    tensorboard: bool = True
    """Whether to write TensorBoard's event files too."""
    workers: int = 0
    """Processes that load batches; 0 loads them in the training process."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "momentum": (0 <= self.momentum < 1, "0 to below 1"),
            "betas": (len(self.betas) == 2 and 0 <= min(self.betas) <= max(self.betas) < 1, "two from 0 to below 1"),
            "power": (0 < self.power < math.inf, "above 0"),
            "milestones": (all(0 <= share <= 1 for share in self.milestones), "shares of the training, 0..1"),
            "warmup_from": (0 <= self.warmup_from <= 1, "0..1"),
            "clip_norm": (self.clip_norm is None or self.clip_norm > 0, "above 0, or none"),
            "average": (self.average is None or 0 <= self.average < 1, "0 to below 1, or none"),
            "minutes": (self.minutes is None or self.minutes > 0, "above 0, or none"),
            "schedule_per": (self.schedule_per in {"step", "epoch"}, "step or epoch"),
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "schedule": (self.schedule in SCHEDULES, f"one of {', '.join(sorted(SCHEDULES))}"),
        }
        for name in ("steps", "accumulate", "checkpoint_every", "log_every"):
            rules[name] = (getattr(self, name) >= 1, "at least 1")
        for name in ("warmup_steps", "workers"):
            rules[name] = (getattr(self, name) >= 0, "at least 0")
        for name in ("epochs", "validate_every"):
            rules[name] = (getattr(self, name) is None or getattr(self, name) >= 1, "at least 1, or none")
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")

    def resolved(self, steps_per_epoch: int) -> Self:
        """The same with everything counted in steps; resolved once more it stays as it is."""
        steps = self.steps if self.epochs is None else self.epochs * steps_per_epoch
        every = self.validate_every or max(1, math.ceil(steps / VALIDATIONS))
        return replace(self, steps=steps, epochs=None, validate_every=every)

    def shaping(self) -> dict[str, Any]:
        """The settings that shape the weights, by name."""
        without = RESULT_FREE if self.schedule == "multistep" else (*RESULT_FREE, "milestones")
        return {name: value for name, value in asdict(self).items() if name not in without}

    def learning_rate_at(self, step: int, steps_per_epoch: int = 1) -> float:
        """Learning rate of ``step`` (0..steps-1)."""
        known = {"poly": partial(poly, power=self.power), "multistep": partial(multistep, milestones=self.milestones)}
        schedule = known.get(self.schedule, SCHEDULES[self.schedule])
        counted = step - step % steps_per_epoch if self.schedule_per == "epoch" else step
        rise = warmup(step, self.warmup_steps, self.warmup_from)
        return self.learning_rate * rise * schedule(counted / self.steps)
