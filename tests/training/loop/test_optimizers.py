from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.optimizers import make_optimizer

NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def test_norms_and_biases_decay_when_asked_to() -> None:
    groups = make_optimizer(FitConfig(weight_decay=0.1), NET).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [
        [(4, 3, 3, 3), (2, 4, 1, 1)],
        [(4,), (4,), (4,), (2,)],
    ]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    (group,) = make_optimizer(FitConfig(weight_decay=0.1, decay_norms=True), NET).param_groups
    assert len(group["params"]) == 6
    assert group["weight_decay"] == 0.1


@pytest.mark.parametrize(("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_optimisers_by_name(name: str, kind: str) -> None:
    optimizer = make_optimizer(FitConfig(optimizer=name, momentum=0.8, betas=(0.7, 0.9)), NET)
    assert type(optimizer).__name__ == kind
    group = optimizer.param_groups[0]
    assert group.get("momentum", 0.8) == 0.8
    assert group.get("betas", (0.7, 0.9)) == (0.7, 0.9)
    assert not group.get("nesterov", False)


def test_frozen_parameters_are_left_out() -> None:
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    (group,) = make_optimizer(FitConfig(), net).param_groups
    assert group["params"] == [net.bias]
    with pytest.raises(ValueError, match="trainable"):
        make_optimizer(FitConfig(), net.requires_grad_(False))
    assert torch.is_tensor(net.bias)


def test_muon_leaves_norms_biases_and_small_predictors_to_adamw() -> None:
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 2, 1))
    groups = make_optimizer(FitConfig(optimizer="muon", weight_decay=0.1), net).param_groups
    assert [(group["orthogonal"], group["weight_decay"], len(group["params"])) for group in groups] == [
        (True, 0.1, 1),
        (False, 0.1, 1),
        (False, 0.0, 4),
    ]
