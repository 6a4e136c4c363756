from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.optimizers import make_optimizer


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


def test_poly_by_step_and_by_epoch() -> None:
    config = FitConfig(epochs=5, learning_rate=0.02, schedule="poly", power=2.0).resolved(steps_per_epoch=10)
    assert config.steps == 50
    assert config.learning_rate_at(25, 10) == pytest.approx(0.02 * 0.5**2)
    by_epoch = FitConfig(steps=50, learning_rate=0.02, schedule="poly", power=2.0, schedule_per="epoch")
    rates = [by_epoch.learning_rate_at(step, 10) for step in range(50)]
    assert rates == pytest.approx([0.02 * (1 - step // 10 / 5) ** 2 for step in range(50)])


@pytest.mark.parametrize(
    ("steps", "every", "count"), [(1000, 100, 10), (95, 10, 10), (10, 1, 10), (1, 1, 1), (11, 2, 6)]
)
def test_ten_validations_at_equal_distances_unless_said_otherwise(steps: int, every: int, count: int) -> None:
    config = FitConfig(steps=steps).resolved(steps_per_epoch=7)
    assert config.validate_every == every
    assert sum(step % every == 0 or step == steps for step in range(1, steps + 1)) == count
    assert config.resolved(steps_per_epoch=3) == config
    assert FitConfig(steps=steps, validate_every=7).resolved(3).validate_every == 7
    assert FitConfig(epochs=steps).resolved(20).validate_every == 2 * steps


def test_warmup_rises_to_the_schedule() -> None:
    config = FitConfig(steps=10, learning_rate=1.0, schedule="poly", power=1.0, warmup_steps=2, warmup_from=0.5)
    assert [config.learning_rate_at(step) for step in range(4)] == pytest.approx([0.5, 0.75 * 0.9, 0.8, 0.7])


def test_settings_that_change_no_weights_are_not_part_of_a_run() -> None:
    free = FitConfig(minutes=1.0, checkpoint_every=7, log_every=3, tensorboard=False, workers=2)
    assert free.shaping() == FitConfig().shaping()
    assert FitConfig(decay_norms=True).shaping() != FitConfig().shaping()


def test_multistep_by_epoch_is_torchs() -> None:
    config = FitConfig(epochs=10, learning_rate=1.0, schedule="multistep", milestones=(0.5, 0.9), schedule_per="epoch")
    rates = [config.resolved(3).learning_rate_at(step, 3) for step in range(30)]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs, schedule = [], torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 9])
    for _ in range(10):
        theirs += 3 * [optimizer.param_groups[0]["lr"]]
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(theirs)


def test_milestones_shape_the_weights_of_multistep_alone() -> None:
    other = {"milestones": (0.3,)}
    assert FitConfig(**other).shaping() == FitConfig().shaping()
    assert FitConfig(schedule="multistep", **other).shaping() != FitConfig(schedule="multistep").shaping()
    with pytest.raises(UserError, match="milestones"):
        FitConfig(milestones=(1.5,))
