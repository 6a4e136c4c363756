from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.training.fit_config import FitConfig, make_optimizer


def test_betas_reach_adamw_and_shape_the_weights() -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = make_optimizer(FitConfig(betas=(0.8, 0.99)), network)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert all(group["betas"] == (0.8, 0.99) for group in optimizer.param_groups)
    assert FitConfig(betas=(0.8, 0.99)).shaping() != FitConfig().shaping()


def test_default_betas_are_those_of_torch() -> None:
    network = torch.nn.Linear(2, 2)
    given = make_optimizer(FitConfig(), network).param_groups[0]["betas"]
    assert given == torch.optim.AdamW(network.parameters()).param_groups[0]["betas"]


@pytest.mark.parametrize("betas", [(0.9, 1.0), (-0.1, 0.9), (1.0, 0.5), (float("nan"), 0.9)])
def test_impossible_betas_are_the_users_error(betas: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="betas"):
        FitConfig(betas=betas)


def test_learning_rate_follows_the_schedule_by_share_of_steps() -> None:
    config = FitConfig(steps=200, learning_rate=0.01, schedule="warmup_cosine")
    assert config.learning_rate_at(10) == pytest.approx(0.005)
    assert config.learning_rate_at(20) == pytest.approx(0.01)
    assert config.learning_rate_at(110) == pytest.approx(0.01 * 0.5025)
