"""The state of a training run in one file: weights, optimiser, average, scaler, step. Safetensors: nothing is executed.

Batches and random numbers follow from the seed and the step, so they need no state of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights
from seglift.training.loop.average import WeightAverage


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: optimiser steps done.
        seconds: training time spent, summed over resumed runs.
        stopped_at_step: step at which the cap on time ended the run, else None.
        best_step: step of the best validation so far, None before the first.
        best_score: the first of its scores, which decides.
        best_scores: its scores, those that are numbers.
        losses: those of the steps since the last row of metrics.csv.
    """

    step: int = 0
    seconds: float = 0.0
    stopped_at_step: int | None = None
    best_step: int | None = None
    best_score: float | None = None
    best_scores: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def ended(self, steps: int) -> bool:
        """Whether none of ``steps`` is left to do."""
        return self.step >= steps or self.stopped_at_step is not None

    def note_scores(self, scores: Mapping[str, float]) -> bool:
        """Whether ``scores`` of the current step are the best so far (by the first); if so they are noted."""
        first = next(iter(scores.values()))
        if not first > (-math.inf if self.best_score is None else self.best_score):
            return False
        self.best_step, self.best_score = self.step, first
        self.best_scores = {name: v for name, v in scores.items() if math.isfinite(v)}
        return True


class Stateful(Protocol):
    """Something whose state is a few numbers, like Fabric's precision with its gradient scaler."""

    def state_dict(self) -> dict[str, Any]:
        """Its state, JSON-serialisable."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes a state over."""


@dataclass
class RunState:
    """Everything a run changes while it trains.

    Attributes:
        module: the network.
        optimizer: torch's own, not Fabric's wrapper.
        average: the moving average of the weights, if one is kept.
        precision: Fabric's.
        progress: how far the run has come.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    precision: Stateful
    progress: Progress = field(default_factory=Progress)

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights that are the run's result: the average's, else the network's."""
        return self.module.state_dict() if self.average is None else self.average.tensors


def save_snapshot(path: Path, state: RunState, fingerprint: str) -> None:
    """Writes the run's state atomically.

    Raises:
        UserError: weights that are not finite (the file on disk stays the last good one), or a failed write.
    """
    check_finite(state)
    tensors = {f"module/{name}": tensor for name, tensor in state.module.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in state.average.tensors.items()}
    for index, entries in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": v for name, v in entries.items() if isinstance(v, Tensor)}
    values = {"kind": "training state", "fingerprint": fingerprint, "precision": state.precision.state_dict()}
    save_weights(path, tensors, values | {"progress": asdict(state.progress)})


def load_snapshot(path: Path, state: RunState, fingerprint: str) -> None:
    """Puts the state that ``path`` holds into ``state``.

    Raises:
        UserError: the file is not a training state, or is one of other data or settings.
    """
    tensors, metadata = load_weights(path)
    if metadata.get("fingerprint") != fingerprint:
        raise UserError(
            f"{path} is of a training run with other data or settings; choose another output folder or overwrite it"
        )
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    state.module.load_state_dict(parts["module"])
    if state.average is not None:
        for name, tensor in parts["average"].items():
            state.average.tensors[name].copy_(tensor)
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, _, entry = name.partition("/")
        entries.setdefault(int(index), {})[entry] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": entries, "param_groups": groups})
    state.precision.load_state_dict(metadata["precision"])
    state.progress = Progress(**metadata["progress"])


def check_finite(state: RunState) -> None:
    """Looks for weights that are no numbers.

    Raises:
        UserError: there are some; the step and the first of them are named.
    """
    floating = {name: tensor for name, tensor in state.module.state_dict().items() if tensor.is_floating_point()}
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in floating.values()]).tolist()
    if not all(finite):
        raise UserError(
            f"weights are not finite after step {state.progress.step} ({list(floating)[finite.index(False)]}), expected"
            " numbers; lower the learning rate or clip gradients"
        )
