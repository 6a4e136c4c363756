"""Validating a network between two steps, with the weights that would be kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from seglift.training.loop.processes import copy_from_first
from seglift.training.loop.snapshot import RunState
from seglift.training.loop.task import Task


def validate(task: Task, state: RunState, fabric: Fabric) -> Mapping[str, float] | None:
    """The task's scores of the average's weights if one is kept, else of the network's; None where it gives none.

    Every process must call it; all of them validate the weights of the first and get its scores. The network is left
    in evaluation mode, its weights as they were.
    """
    state.module.eval()
    if state.average is None:
        copy_from_first(state.module.buffers())
        weights: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    else:
        copy_from_first(state.average.tensors.values())
        weights = _weights_in_place(state.module, state.average.tensors)
    with weights, torch.no_grad():
        scores: Mapping[str, float] | None = fabric.broadcast(task.validate(fabric.device))
    return scores or None


@contextlib.contextmanager
def _weights_in_place(module: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """``module`` has ``weights`` inside the block, its own before and after."""
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.load_state_dict(weights)
    try:
        yield
    finally:
        module.load_state_dict(own)
