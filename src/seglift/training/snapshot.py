"""The state of a training run in one file: weights, optimiser, average, step. Safetensors, so nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights
from seglift.training.average import WeightAverage


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: optimiser steps done.
        seconds: training time spent, summed over resumed runs.
        stopped_at_step: step at which the cap on time ended the run, else None.
    """

    step: int = 0
    seconds: float = 0.0
    stopped_at_step: int | None = None


def save_snapshot(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None,
    progress: Progress,
    fingerprint: str,
) -> None:
    """Writes the run's state atomically.

    Raises:
        UserError: weights that are not finite (the file on disk stays the last good one), or a failed write.
    """
    tensors = {f"module/{name}": tensor for name, tensor in module.state_dict().items()}
    wrong = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if wrong:
        raise UserError(
            f"weights are not finite after step {progress.step} ({wrong[0].removeprefix('module/')}), expected numbers;"
            " lower the learning rate or clip gradients"
        )
    if average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in average.tensors.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": v for name, v in state.items() if isinstance(v, Tensor)}
    metadata = {
        "kind": "training state",
        "fingerprint": fingerprint,
        "step": progress.step,
        "seconds": progress.seconds,
        "stopped_at_step": progress.stopped_at_step,
    }
    save_weights(path, tensors, metadata)


def load_snapshot(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None,
    fingerprint: str,
) -> Progress:
    """Puts the state that ``path`` holds into the network, its optimiser and the average.

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
    module.load_state_dict(parts["module"])
    if average is not None:
        for name, tensor in parts["average"].items():
            average.tensors[name].copy_(tensor)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, _, entry = name.partition("/")
        state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(metadata["step"], metadata["seconds"], metadata["stopped_at_step"])
