from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.seeding import derive_seed
from seglift.base.weights import load_weights
from seglift.training import fit as fit_module
from seglift.training.fit import SNAPSHOT_NAME, fit
from seglift.training.fit_config import FitConfig, make_optimizer
from seglift.training.task import Batch

CONFIG = FitConfig(steps=11, checkpoint_every=3, learning_rate=0.05, average=0.9, clip_norm=1.0)


class Line:
    """Fits y = 2 x - 1 with a network that has batch statistics, counters and random dropout."""

    def __init__(self, fail_at: int | None = None, nan_at: int | None = None) -> None:
        self.fail_at, self.nan_at = fail_at, nan_at
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))

    @property
    def module(self) -> nn.Module:
        return self.net

    def batch(self, seed: int, step: int) -> Batch:
        if step == self.fail_at:
            raise KeyboardInterrupt
        x = torch.rand(16, 1, generator=torch.Generator().manual_seed(derive_seed(seed, "batch", step)))
        return {"x": x, "y": 2 * x - 1 + (torch.nan if step == self.nan_at else 0.0)}

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        return (module(batch["x"]) - batch["y"]).square().mean()

    def metadata(self) -> dict[str, Any]:
        return {"kind": "line"}

    def fingerprint(self) -> str:
        return "line"


def run(out: Path, config: FitConfig = CONFIG, task: Line | None = None) -> bytes:
    return fit(task or Line(), config, out, quiet=True).weights.read_bytes()


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, optimizer="sgd", average=None, schedule="poly"), replace(CONFIG, average=None)],
    ids=["adamw-average", "sgd", "adamw"],
)
@pytest.mark.parametrize("killed", [[0], [1], [3], [5, 7], [10]])
def test_a_killed_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, killed: list[int], config: FitConfig
) -> None:
    expected = run(tmp_path / "whole", config)
    for step in killed:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", config, Line(fail_at=step))
        assert (tmp_path / "killed" / SNAPSHOT_NAME).exists() == (step >= 3)
    assert run(tmp_path / "killed", config) == expected


def test_killed_between_the_last_step_and_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(tmp_path / "whole")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fit_module, "save_weights", killed)
        run(tmp_path / "killed")
    assert run(tmp_path / "killed", task=Line(fail_at=0)) == expected


def test_what_surrounds_a_run_does_not_change_it(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = run(tmp_path / "a")
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second = run(tmp_path / "b", replace(CONFIG, checkpoint_every=4, workers=1))
    assert first == second
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()
    assert run(tmp_path / "c", replace(CONFIG, seed=1)) != first


def test_it_learns(tmp_path: Path) -> None:
    task = Line()
    config = FitConfig(steps=200, learning_rate=0.05, average=0.9)
    tensors, _ = load_weights(fit(task, config, tmp_path, quiet=True).weights)
    task.net.load_state_dict(tensors)
    x = torch.linspace(0.1, 0.9, 9)[:, None]
    assert (task.net.eval()(x) - (2 * x - 1)).abs().max() < 0.25


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    first = fit(Line(), CONFIG, tmp_path, quiet=True)
    assert fit(Line(fail_at=0), CONFIG, tmp_path, quiet=True) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors"]


def test_the_cap_on_time_is_recorded_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capped = replace(CONFIG, minutes=1e-9)
    result = fit(Line(), capped, tmp_path / "capped", quiet=True)
    assert (result.steps, result.stopped_at_step) == (1, 1)
    training = load_weights(result.weights)[1]["training"]
    assert (training["steps"], training["stopped_at_step"]) == (1, 1)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fit_module, "save_weights", killed)
        fit(Line(), capped, tmp_path / "killed", quiet=True)
    again = fit(Line(fail_at=1), CONFIG, tmp_path / "killed", quiet=True)
    assert again.weights.read_bytes() == result.weights.read_bytes()


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="loss is nan at step 8"):
        run(tmp_path, task=Line(nan_at=7))
    assert load_weights(tmp_path / SNAPSHOT_NAME)[1]["step"] == 6
    assert run(tmp_path) == run(tmp_path / "whole")


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    class Breaks(Line):
        def batch(self, seed: int, step: int) -> Batch:
            return {**super().batch(seed, step), "last": torch.tensor(step == 2)}

        def loss(self, module: nn.Module, batch: Batch) -> Tensor:
            # The square root of 0 has a value, but no gradient.
            broken = (self.net[0].weight * 0).sqrt().sum() if batch["last"] else 0.0
            return super().loss(module, batch) + broken

    with pytest.raises(UserError, match="not finite after step 3"):
        run(tmp_path, replace(CONFIG, clip_norm=None), Breaks())
    assert not (tmp_path / SNAPSHOT_NAME).exists()


def test_runs_of_other_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, task=Line(fail_at=5))
    with pytest.raises(UserError, match=r"checkpoint\.safetensors.*other data or settings"):
        run(tmp_path, replace(CONFIG, learning_rate=0.1))
    run(tmp_path)
    with pytest.raises(UserError, match=r"best\.safetensors.*other data or settings"):
        run(tmp_path, replace(CONFIG, seed=9))


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / SNAPSHOT_NAME).write_bytes(b"\x80\x04nonsense")
    with pytest.raises(UserError, match="checkpoint"):
        run(tmp_path)


def test_unknown_device_lists_those_at_hand(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'tpu'.*cpu"):
        fit(Line(), CONFIG, tmp_path, device="tpu", quiet=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"learning_rate": -1.0},
        {"average": 1.0},
        {"schedule": "zigzag"},
        {"minutes": 0.0},
        {"optimizer": "lion"},
        {"momentum": 1.0},
        {"clip_norm": 0.0},
        {"learning_rate": float("nan")},
    ],
    ids=json.dumps,
)
def test_impossible_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        FitConfig(**wrong)


def test_norms_and_biases_do_not_decay() -> None:
    optimizer = make_optimizer(FitConfig(weight_decay=0.1), Line().net)
    shapes = [[tuple(p.shape) for p in group["params"]] for group in optimizer.param_groups]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert shapes == [[(8, 1), (1, 8)], [(8,), (8,), (8,), (1,)]]
