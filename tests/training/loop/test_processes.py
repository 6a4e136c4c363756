"""Two processes joined by gloo against one process, on the same batches."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights
from seglift.training.loop import processes
from seglift.training.loop.fit import fit
from seglift.training.loop.log import read_metrics
from seglift.training.loop.processes import ends_with_the_others, make_fabric, this_process
from seglift.training.loop.task import Part

SCRIPT = Path(__file__).parent / "two_processes.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes under torchrun left."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", port, SCRIPT, folder]
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, words)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    (folder / "stderr.txt").write_text(ran.stderr)
    (folder / "stdout.txt").write_text(ran.stdout)
    (folder / "status.txt").write_text(str(ran.returncode))
    return folder


@pytest.fixture(scope="module")
def one(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process leaves."""
    folder = tmp_path_factory.mktemp("one")
    fit(script.Ponds(), script.CONFIG, folder, quiet=True)
    return folder


def test_two_processes_train_like_one(two: Path, one: Path, script: ModuleType) -> None:
    start = script.Plain().state_dict()
    for name in ("best.safetensors", "last.safetensors"):
        (ours, metadata), (theirs, expected) = load_weights(two / "whole" / name), load_weights(one / name)
        assert all(torch.allclose(tensor, theirs[key], atol=1e-5, rtol=0) for key, tensor in ours.items())
        assert any((tensor - start[key]).abs().max() > 0.05 for key, tensor in ours.items())
        assert metadata["training"]["best_step"] == expected["training"]["best_step"]
    rows, expected_rows = read_metrics(two / "whole" / "metrics.csv"), read_metrics(one / "metrics.csv")
    assert [row["step"] for row in rows] == [row["step"] for row in expected_rows] == ["2", "3", "4", "6", "7"]
    for name in ("loss", "size", "pictures"):
        ours, theirs = ([float(row[name] or 0) for row in part] for part in (rows, expected_rows))
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert rows[1]["pictures"] == "3"


def test_the_halves_of_a_batch_count_unequally_many_pixels(script: ModuleType) -> None:
    task, shares = script.Ponds(), []
    for step in range(script.CONFIG.steps):
        first, second = (task.counts(task.batch(0, step, Part(index, 2)))[0].item() for index in range(2))
        assert task.counts(task.batch(0, step, Part()))[0] == first + second
        shares.append(first / (first + second))
    assert max(abs(share - 0.5) for share in shares) > 0.15


def test_a_killed_run_of_two_ends_with_the_bytes_of_an_undisturbed_one(two: Path) -> None:
    for name in ("best.safetensors", "last.safetensors"):
        assert (two / "killed" / name).read_bytes() == (two / "whole" / name).read_bytes()
    rows = [[row | {"seconds": ""} for row in read_metrics(two / part / "metrics.csv")] for part in ("killed", "whole")]
    assert rows[0] == rows[1]
    assert not (two / "killed" / "checkpoint.safetensors").exists()


def test_each_process_tells_what_stops_all_of_them(two: Path) -> None:
    for index in range(2):
        assert "loss is nan at step 4" in (two / f"nan.{index}.txt").read_text()
        assert "sync_batch_norm of 2 processes needs CUDA" in (two / f"sync.{index}.txt").read_text()
        assert "batch of 4 cannot be shared by 6" in (two / f"small.{index}.txt").read_text()
    assert load_weights(two / "nan" / "checkpoint.safetensors")[1]["progress"]["step"] == 3


def test_the_failure_of_one_ends_all(two: Path) -> None:
    assert {path.name for path in two.glob("reached.*")} == {"reached.0.txt", "reached.1.txt"}
    assert int((two / "status.txt").read_text()) != 0
    assert "[rank0]" not in (two / "stderr.txt").read_text()
    assert not (two / "stdout.txt").read_text()
    assert "GLOBAL_RANK" not in (two / "stderr.txt").read_text()
    assert not list((two / "alone").glob("*.safetensors"))


def test_a_process_alone(script: ModuleType) -> None:
    assert this_process() == Part(0, 1)
    values = torch.tensor([1.0, 2.0])
    assert processes.sum_over_processes(values) is values
    assert make_fabric("cpu").world_size == 1
    norm = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    for device in ("cpu", "mps", "cuda"):
        processes.share_batch_norm(norm, torch.device(device))
    assert type(norm[0]) is torch.nn.BatchNorm2d


@pytest.mark.parametrize(
    ("device", "part", "told"),
    [
        ("cpu", Part(0, 2), "each of the 2 processes normalises by .* sharing needs CUDA"),
        ("cuda", Part(0, 3), "each of the 3 processes .*--set fit.sync_batch_norm=true .*"),
        ("cpu", Part(1, 2), None),
        ("cpu", Part(), None),
    ],
)
def test_the_first_of_several_says_that_batch_norm_is_not_shared(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], device: str, part: Part, told: str | None
) -> None:
    monkeypatch.setattr(processes, "this_process", lambda: part)
    normed = torch.nn.Sequential(torch.nn.Sequential(torch.nn.BatchNorm2d(2)))
    processes.tell_separate_batch_norm(torch.nn.Conv2d(2, 2, 1), torch.device(device))
    assert not capfd.readouterr().err
    processes.tell_separate_batch_norm(normed, torch.device(device))
    said = capfd.readouterr().err
    assert re.fullmatch(f"{told}\n", said) if told else not said


@pytest.mark.parametrize(
    ("device", "started", "message"),
    [
        ("cuda:0", "2", "say cuda or cpu"),
        ("mps", "2", "say cuda or cpu"),
        ("cuda", "3", "torchrun started 3 processes"),
    ],
)
def test_devices_that_do_not_fit_the_processes(
    monkeypatch: pytest.MonkeyPatch, device: str, started: str, message: str
) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "run"), ("WORLD_SIZE", started), ("LOCAL_WORLD_SIZE", started)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "resolve_device", lambda name: name)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=message):
        make_fabric(device)


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(UserError, match="another process"), ends_with_the_others():
        raise RuntimeError("[pair.cc:561] Connection closed by peer [127.0.0.1]:17313")
    with pytest.raises(RuntimeError, match="shapes"), ends_with_the_others():
        raise RuntimeError("shapes that cannot be multiplied")
