from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.seeding import derive_seed
from seglift.base.weights import load_weights
from seglift.training.loop import fit as fit_module
from seglift.training.loop import run_files
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.log import read_metrics
from seglift.training.loop.run_files import SNAPSHOT_NAME
from seglift.training.loop.task import Batch, Part

CONFIG = FitConfig(steps=11, checkpoint_every=3, learning_rate=0.05, average=0.9, clip_norm=1.0, tensorboard=False)


class Line:
    """Fits y = 2 x - 1 with a network that has batch statistics, counters and random dropout; an epoch is 4 steps."""

    steps_per_epoch = 4

    def __init__(self, fail_at: int | None = None, nan_at: int | None = None, validates: bool = False) -> None:
        self.fail_at, self.nan_at, self.validates = fail_at, nan_at, validates
        self.validated: list[float] = []
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))

    @property
    def module(self) -> nn.Module:
        return self.net

    def trainable(self) -> nn.Module:
        return self.net

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        x = torch.rand(16, 1, generator=torch.Generator().manual_seed(derive_seed(seed, "batch", step)))
        y = 2 * x - 1 + (torch.nan if step == self.nan_at else 0.0)
        mine = list(part.share(16))
        return {"x": x[mine], "y": y[mine], "step": torch.tensor(step)}

    def counts(self, batch: Batch) -> Tensor:
        if int(batch["step"]) == self.fail_at:
            raise KeyboardInterrupt
        return torch.tensor([len(batch["x"])], dtype=torch.float64)

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        return (trainable(batch["x"]) - batch["y"]).square().sum() / counts[0]

    def validate(self, device: torch.device) -> dict[str, float] | None:
        if not self.validates:
            return None
        assert not self.net.training
        x = torch.linspace(0, 1, 9)[:, None]
        self.validated.append(-(self.net(x) - (2 * x - 1)).square().mean().item())
        return {"closeness": self.validated[-1], "undefined": float("nan")}

    def metadata(self) -> dict[str, Any]:
        return {"kind": "line"}

    def fingerprint(self) -> str:
        return "line"


def run(out: Path, config: FitConfig = CONFIG, task: Line | None = None) -> bytes:
    return fit(task or Line(), config, out, quiet=True).weights.read_bytes()


def left_in(out: Path) -> dict[str, bytes]:
    """What a training left, the seconds of its rows cut off."""
    rows = (out / "metrics.csv").read_bytes().splitlines()
    weights = {path.name: path.read_bytes() for path in out.glob("*.safetensors")}
    return weights | {"metrics.csv": b"\n".join(row.rpartition(b",")[0] for row in rows)}


VARIANTS = {
    "adamw-average": CONFIG,
    "muon": replace(CONFIG, optimizer="muon"),
    "sgd-parts": replace(CONFIG, optimizer="sgd", average=None, schedule="poly", accumulate=3),
    "adam-bf16": replace(CONFIG, optimizer="adam", average=None, precision="bf16-mixed", schedule_per="epoch"),
    "all": replace(CONFIG, accumulate=2, log_every=2, warmup_steps=4, decay_norms=True),
}


KILLED = [(name, steps) for name in VARIANTS for steps in ([0], [1], [3], [5, 7], [10])]


@pytest.mark.parametrize(("variant", "killed"), [*KILLED, ("processes", [5, 7])], ids=str)
def test_a_killed_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, killed: list[int], variant: str
) -> None:
    config = replace(VARIANTS["all"], workers=1) if variant == "processes" else VARIANTS[variant]
    validates = variant in {"all", "processes", "sgd-parts"}
    run(tmp_path / "whole", config, Line(validates=validates))
    for step in killed:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", config, Line(fail_at=step, validates=validates))
        assert (tmp_path / "killed" / SNAPSHOT_NAME).exists() == (step >= 3)
    run(tmp_path / "killed", config, Line(validates=validates))
    assert left_in(tmp_path / "killed") == left_in(tmp_path / "whole")


def test_killed_between_the_last_step_and_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(tmp_path / "whole")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_files, "save_weights", killed)
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "last.safetensors", "metrics.csv"]


def test_the_cap_on_time_is_recorded_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capped = replace(CONFIG, minutes=1e-9)
    result = fit(Line(), capped, tmp_path / "capped", quiet=True)
    assert (result.steps, result.stopped_at_step) == (1, 1)
    training = load_weights(result.weights)[1]["training"]
    assert (training["steps"], training["stopped_at_step"]) == (1, 1)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_files, "save_weights", killed)
        fit(Line(), capped, tmp_path / "killed", quiet=True)
    again = fit(Line(fail_at=1), CONFIG, tmp_path / "killed", quiet=True)
    assert again.weights.read_bytes() == result.weights.read_bytes()


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="loss is nan at step 8"):
        run(tmp_path, task=Line(nan_at=7))
    assert load_weights(tmp_path / SNAPSHOT_NAME)[1]["progress"]["step"] == 6
    assert run(tmp_path) == run(tmp_path / "whole")


def test_looking_at_losses_only_now_and_then_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, log_every=4, validate_every=5)
    run(tmp_path / "each", config, Line(validates=True))
    monkeypatch.setattr(fit_module, "ALWAYS_READY", ())
    run(tmp_path / "rarely", config, Line(validates=True))
    assert left_in(tmp_path / "rarely") == left_in(tmp_path / "each")
    with pytest.raises(UserError, match="loss is nan at step 8"):
        run(tmp_path / "nan", replace(config, checkpoint_every=6, log_every=50), Line(nan_at=7))
    assert load_weights(tmp_path / "nan" / SNAPSHOT_NAME)[1]["progress"]["step"] == 6
    capped = fit(Line(), replace(config, minutes=1e-9), tmp_path / "capped", quiet=True)
    assert (capped.steps, capped.stopped_at_step) == (3, 3)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    class Breaks(Line):
        def batch(self, seed: int, step: int, part: Part) -> Batch:
            return {**super().batch(seed, step, part), "last": torch.tensor(step == 2)}

        def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
            # The square root of 0 has a value, but no gradient.
            broken = (self.net[0].weight * 0).sqrt().sum() if batch["last"] else 0.0
            return super().loss(trainable, batch, counts, epoch) + broken

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
        {"accumulate": 0},
        {"precision": "8-bit"},
        {"schedule_per": "year"},
        {"power": 0.0},
        {"warmup_from": 1.5},
        {"epochs": 0},
        {"validate_every": 0},
    ],
    ids=json.dumps,
)
def test_impossible_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        FitConfig(**wrong)


class Masked(Line):
    """Without batch statistics or dropout; some of a batch's 16 points do not count, unequally many in its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        valid = (torch.arange(16) % 7 < 4) & (torch.arange(16) < 13)
        return {**super().batch(seed, step, part), "valid": valid[list(part.share(16))].double()}

    def counts(self, batch: Batch) -> Tensor:
        return batch["valid"].sum()[None]

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        errors = (trainable(batch["x"]) - batch["y"]).square().squeeze(1)
        return (errors * batch["valid"]).sum() / counts[0]


@pytest.mark.parametrize("accumulate", [2, 5, 16])
def test_a_batch_in_parts_trains_like_the_whole(tmp_path: Path, accumulate: int) -> None:
    torch.manual_seed(0)
    whole, parts = Masked(), Masked()
    parts.net.load_state_dict(whole.net.state_dict())
    config = replace(CONFIG, optimizer="sgd", average=None)
    run(tmp_path / "whole", config, whole)
    run(tmp_path / "parts", replace(config, accumulate=accumulate), parts)
    for name, tensor in whole.net.state_dict().items():
        assert torch.allclose(tensor, parts.net.state_dict()[name], atol=1e-6)
    rows, expected = (read_metrics(tmp_path / name / "metrics.csv") for name in ("parts", "whole"))
    assert [float(row["loss"]) for row in rows] == pytest.approx([float(row["loss"]) for row in expected], abs=1e-6)


def test_the_weights_of_the_best_validation_are_kept(tmp_path: Path) -> None:
    class Scored(Line):
        """The second of its validations is the best."""

        def validate(self, device: torch.device) -> dict[str, float]:
            self.seen = [*getattr(self, "seen", []), {n: t.clone() for n, t in self.net.state_dict().items()}]
            return {"score": [0.5, 0.7, 0.6, float("nan")][len(self.seen) - 1], "other": len(self.seen)}

    task = Scored()
    result = fit(task, replace(CONFIG, validate_every=3), tmp_path, quiet=True)
    assert (result.steps, result.best_step, result.scores) == (11, 6, {"score": 0.7, "other": 2})
    for file, number in (("best", 1), ("last", 3)):
        kept, metadata = load_weights(tmp_path / f"{file}.safetensors")
        assert all(torch.equal(tensor, task.seen[number][name]) for name, tensor in kept.items())
        assert metadata["training"]["steps"] == [6, 11][file == "last"]
    # The average was validated; the network itself had its own weights back for the next step.
    assert not torch.equal(task.seen[3]["0.weight"], task.net.state_dict()["0.weight"])
    assert fit(Scored(fail_at=0), replace(CONFIG, validate_every=3), tmp_path, quiet=True) == result


def test_every_validation_and_the_end_have_a_row(tmp_path: Path) -> None:
    config = replace(CONFIG, log_every=3, validate_every=4, schedule="poly", power=2.0, schedule_per="epoch")
    run(tmp_path, config, Line(validates=True))
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["step"] for row in rows] == ["3", "4", "6", "8", "9", "11"]
    assert [float(row["epoch"]) for row in rows] == [0.75, 1, 1.5, 2, 2.25, 2.75]
    assert [bool(row["closeness"]) for row in rows] == [False, True, False, True, False, True]
    rates = [0.05 * (1 - epoch * 4 / 11) ** 2 for epoch in (0, 0, 1, 1, 2, 2)]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(rates)
    assert [float(row["seconds"]) for row in rows] == sorted(float(row["seconds"]) for row in rows)


def test_length_in_epochs(tmp_path: Path) -> None:
    assert fit(Line(), replace(CONFIG, epochs=2), tmp_path, quiet=True).steps == 8


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    class Wide(Line):
        def __init__(self, fail_at: int | None = None) -> None:
            super().__init__(fail_at)
            with torch.random.fork_rng():
                torch.manual_seed(1)
                self.net = nn.Sequential(nn.Linear(1, 2000), nn.ReLU(), nn.Linear(2000, 1))

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, task=Wide(fail_at=5))
    before = (tmp_path / SNAPSHOT_NAME).read_bytes()
    with pytest.raises(UserError, match=r"cannot write .*checkpoint\.safetensors.*space"), full_disk():
        run(tmp_path, task=Wide())
    assert (tmp_path / SNAPSHOT_NAME).read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))
    run(tmp_path, task=Wide())
    run(tmp_path / "whole", task=Wide())
    assert left_in(tmp_path) == left_in(tmp_path / "whole")


def test_16_bit_lowers_the_network_only(tmp_path: Path) -> None:
    seen: list[torch.dtype] = []

    class Typed(Line):
        def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
            assert trainable(batch["x"]).dtype == batch["x"].dtype == torch.float32
            return super().loss(trainable, batch, counts, epoch)

    task = Typed()
    task.net[0].register_forward_hook(lambda _module, inputs, output: seen.extend((inputs[0].dtype, output.dtype)))
    run(tmp_path, replace(CONFIG, precision="bf16-mixed", steps=1), task)
    assert seen[:2] == [torch.float32, torch.bfloat16]
    assert task.net[0].weight.dtype == torch.float32


def test_what_needs_a_gpu_is_refused_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"16-mixed needs CUDA.* say --set fit\.precision=bf16-mixed or .*=32-true$"):
        run(tmp_path, replace(CONFIG, precision="16-mixed"))


def test_batch_norms_have_nothing_to_share_in_one_process(tmp_path: Path) -> None:
    alone = Line()
    run(tmp_path / "shared", replace(CONFIG, sync_batch_norm=True), alone)
    run(tmp_path / "plain")
    assert any(type(module) is nn.BatchNorm1d for module in alone.net.modules())
    shared, plain = (load_weights(tmp_path / name / "best.safetensors")[0] for name in ("shared", "plain"))
    assert all(torch.equal(tensor, plain[name]) for name, tensor in shared.items())


@pytest.mark.parametrize("workers", [0, 1])
def test_the_users_mistakes_come_whole_out_of_loading_processes(tmp_path: Path, workers: int) -> None:
    class Corrupt(Line):
        def batch(self, seed: int, step: int, part: Part) -> Batch:
            raise UserError("images/7.png is damaged, expected a picture; repair it")

    with pytest.raises(UserError, match=r"^images/7\.png is damaged, expected a picture; repair it$"):
        run(tmp_path, replace(CONFIG, workers=workers), Corrupt())


def test_a_batch_too_small_for_its_parts_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch of 16 cannot be shared by 17"):
        run(tmp_path, replace(CONFIG, accumulate=17))
