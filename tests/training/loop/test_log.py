from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seglift.base.errors import UserError
from seglift.training.loop.log import MetricsLog, read_metrics


def write(log: MetricsLog, step: int, **scores: float) -> None:
    log.write(step, {"epoch": step / 4, "learning_rate": 0.1, "loss": 1 / step}, scores, seconds=step * 1.5)


def test_rows_as_written(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, tensorboard=False) as log:
        write(log, 1)
        assert (tmp_path / "metrics.csv").read_text() == "step,epoch,learning_rate,loss,seconds\n1,0.25,0.1,1,1.5\n"
        write(log, 2, miou=0.5)
        write(log, 3)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,epoch,learning_rate,loss,miou,seconds",
        "1,0.25,0.1,1,,1.5",
        "2,0.5,0.1,0.5,0.5,3.0",
        "3,0.75,0.1,0.3333333333,,4.5",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.csv"]


@pytest.mark.parametrize("done", [0, 1, 2, 3])
@pytest.mark.parametrize("cut", [0, 1, 9])
def test_rows_of_steps_that_will_be_done_again_are_dropped(tmp_path: Path, done: int, cut: int) -> None:
    def rows(log: MetricsLog, steps: range) -> None:
        for step in steps:
            write(log, step, **({"miou": step} if step == 2 else {}))

    path = tmp_path / "metrics.csv"
    with MetricsLog(tmp_path, tensorboard=False) as log:
        rows(log, range(1, 5))
    expected = path.read_text()
    path.write_text(expected[: len(expected) - cut])
    with MetricsLog(tmp_path, done, tensorboard=False) as log:
        assert [row["step"] for row in read_metrics(path)] == [str(step) for step in range(1, done + 1)]
        rows(log, range(done + 1, 5))
    assert path.read_text() == expected


def test_events_of_a_resumed_run_are_those_of_an_undisturbed_one(tmp_path: Path) -> None:
    for steps, done in (([1, 2, 3], 0), ([2, 3, 4], 1)):
        with MetricsLog(tmp_path, done) as log:
            for step in steps:
                write(log, step, miou=step + done / 10)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["epoch", "learning_rate", "loss", "validation/miou"]
    scores = [(event.step, event.value) for event in events.Scalars("validation/miou")]
    assert scores == [(1, 1.0), (2, pytest.approx(2.1)), (3, pytest.approx(3.1)), (4, pytest.approx(4.1))]
    assert events.Scalars("loss")[1].value == pytest.approx(0.5)


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    with MetricsLog(None) as log:
        write(log, 1, miou=0.5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_full_disk_is_told(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]], tensorboard: bool
) -> None:
    with pytest.raises(UserError, match=r"cannot write .*free space"), full_disk():  # noqa: SIM117
        with MetricsLog(tmp_path, tensorboard=tensorboard) as log:
            for step in range(1, 300):
                write(log, step)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.csv")][:9] == [str(step) for step in range(1, 10)]
