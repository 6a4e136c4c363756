"""Optimisers by name, and which parameters they let decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.muon import Muon

FEWEST_OUTPUTS = 16
"""Outputs from which on the kernels and matrices of a layer are turned by Muon; predictors of a few maps are not."""


def make_optimizer(config: FitConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters of ``module``.

    All of them decay with ``config.decay_norms``; else those of norms and biases (one dimension) are a group of their
    own that does not. Adam's decay is added to the gradient, AdamW's is decoupled from it (Loshchilov and Hutter,
    "Decoupled Weight Decay Regularization", ICLR 2019). Muon is AdamW but for the kernels and matrices of at least
    ``FEWEST_OUTPUTS`` outputs.

    Raises:
        ValueError: no parameter is trainable.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in module.parameters():
        if parameter.requires_grad:
            (decayed if config.decay_norms or parameter.ndim > 1 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("the network has no trainable parameter")
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    if config.optimizer == "muon":
        return Muon(_split(groups), config.learning_rate, config.betas)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.learning_rate, betas=config.betas)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


def _split(groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups, each in two where only some of its parameters are for Muon to turn."""
    split = []
    for group in groups:
        for turned in (True, False):
            members = [p for p in group["params"] if (p.ndim > 1 and p.shape[0] >= FEWEST_OUTPUTS) == turned]
            if members:
                split.append({**group, "params": members, "orthogonal": turned})
    return split
