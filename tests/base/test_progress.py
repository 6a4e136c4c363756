from __future__ import annotations

import io
import sys

import pytest

from seglift.base import progress
from seglift.base.progress import ProgressBar, say


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return clock


def test_plain_lines_now_and_then_and_at_the_end(clock: Clock, capsys: pytest.CaptureFixture[str]):
    with ProgressBar(25, "labelling", "frames") as bar:
        for _ in range(25):
            clock.now += 1.0
            bar.advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "labelling: 10/25 frames, 1.00 frames/s, 15 s left",
        "labelling: 20/25 frames, 1.00 frames/s, 5 s left",
        "labelling: 25/25 frames, 1.00 frames/s, 0 s left",
    ]


def test_the_rate_counts_this_run_only(clock: Clock, capsys: pytest.CaptureFixture[str]):
    with ProgressBar(100, "training", "steps", done=60) as bar:
        clock.now += 10.0
        bar.advance(20, "loss 0.5")
    assert capsys.readouterr().err == "training: 80/100 steps, 2.00 steps/s, 10 s left loss 0.5\n"


def test_quiet_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]):
    with ProgressBar(2, "labelling", "frames", quiet=True) as bar:
        clock.now += 100.0
        bar.advance(2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("step", "lines"), [(1.0, []), (6.0, [2, 3])])
def test_brief_work_is_not_mentioned(clock: Clock, capsys: pytest.CaptureFixture[str], step: float, lines: list[int]):
    with ProgressBar(3, "looking", "frames", brief=True) as bar:
        for _ in range(3):
            clock.now += step
            bar.advance()
    assert [int(line.split("/")[0][-1]) for line in capsys.readouterr().err.splitlines()] == lines


def test_no_time_at_all_is_no_division_by_zero(clock: Clock, capsys: pytest.CaptureFixture[str]):
    with ProgressBar(1, "labelling", "frames") as bar:
        bar.advance()
    assert capsys.readouterr().err.startswith("labelling: 1/1 frames, ")


def test_an_error_goes_through(clock: Clock):
    with pytest.raises(RuntimeError, match="crash"), ProgressBar(3, "labelling", "frames") as bar:
        bar.advance()
        raise RuntimeError("crash")


def test_a_terminal_gets_a_bar_and_no_plain_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with ProgressBar(3, "labelling", "frames", done=1) as bar:
        bar.advance(2, "note")
    shown = terminal.getvalue()
    assert "3/3" in shown
    assert "frames/s note" in shown
    assert "\x1b[" in shown
    assert "s left" not in shown
    assert capsys.readouterr().out == ""


def test_say_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]):
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
