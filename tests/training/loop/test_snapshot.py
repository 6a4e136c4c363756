from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.training.loop.average import WeightAverage
from seglift.training.loop.snapshot import Progress, RunState, load_snapshot, save_snapshot


class Scaler:
    """Numbers like those of a gradient scaler."""

    def __init__(self, scale: float) -> None:
        self.values: dict[str, Any] = {"scale": scale, "growth_interval": 2000, "_growth_tracker": 7}

    def state_dict(self) -> dict[str, Any]:
        return self.values

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values = state


def make(kind: type[torch.optim.Optimizer], steps: int, scale: float) -> RunState:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = kind(module.parameters(), lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
    for _ in range(steps):
        module(torch.randn(4, 2)).square().sum().backward()
        optimizer.step()
    average = WeightAverage(module.state_dict(), 0.9)
    average.tensors["0.weight"] += 1
    progress = Progress(steps, 12.5, None, 2, 1 / 3, {"miou": 1 / 3, "a": 1}, [0.1, 1e-30])
    return RunState(module, optimizer, average, Scaler(scale), progress)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_everything_comes_back(tmp_path: Path, kind: type[torch.optim.Optimizer]) -> None:
    path = tmp_path / "state"
    saved, loaded = make(kind, 3, scale=2.0**14), make(kind, 0, scale=1.0)
    save_snapshot(path, saved, "data")
    load_snapshot(path, loaded, "data")
    assert loaded.progress == saved.progress
    assert loaded.precision.state_dict() == saved.precision.state_dict()
    for first, second in ((saved.module.state_dict(), loaded.module.state_dict()), (saved.kept, loaded.kept)):
        assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    before, after = saved.optimizer.state_dict()["state"], loaded.optimizer.state_dict()["state"]
    assert before.keys() == after.keys() == set(range(4))
    assert all(torch.equal(v, after[n][name]) for n, entries in before.items() for name, v in entries.items())
    assert not torch.equal(loaded.kept["0.weight"], loaded.module.state_dict()["0.weight"])


def test_weights_that_are_no_numbers_leave_the_file_alone(tmp_path: Path) -> None:
    path, state = tmp_path / "state", make(torch.optim.SGD, 1, 1.0)
    save_snapshot(path, state, "data")
    before = path.read_bytes()
    with torch.no_grad():
        state.module[1].running_var[1] = torch.inf
    with pytest.raises(UserError, match=r"not finite after step 1 \(1\.running_var\)"):
        save_snapshot(path, state, "data")
    assert path.read_bytes() == before


def test_only_better_scores_are_noted() -> None:
    progress = Progress()
    noted = []
    for step, score in enumerate([float("nan"), -3.0, -4.0, -3.0, 0.5, float("nan")], 1):
        progress.step = step
        noted.append(progress.note_scores({"miou": score, "step": step, "undefined": float("nan")}))
    assert noted == [False, True, False, False, True, False]
    assert (progress.best_step, progress.best_scores) == (5, {"miou": 0.5, "step": 5})
