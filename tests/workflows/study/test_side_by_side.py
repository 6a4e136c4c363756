"""Jobs in processes of their own, in a program of its own, since these import what they do from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from seglift.base.threads import core_count

PROGRAM = """
import os, signal, sys, time
from pathlib import Path

import torch

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.base.threads import worker_count
from seglift.workflows.study.side_by_side import work_side_by_side


def work(job):
    kind, path = job
    path.write_text(f"{os.getpid()} {torch.get_num_threads()} {worker_count()}")
    say(f"{path.stem} begins")
    if kind == "wrong":
        raise UserError("the recipe is wrong")
    if kind == "bug":
        raise KeyError("a bug")
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "slow":
        time.sleep(1)
    if kind == "endless":
        time.sleep(600)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    jobs = [(kind, folder / f"{number}.txt") for number, kind in enumerate(sys.argv[3:])]
    try:
        for _, path in work_side_by_side(jobs, work, lambda job: job[1].with_suffix(".log"), count, lambda: False):
            print("done", path.stem, flush=True)
    except UserError as error:
        print("error", error)
    except KeyError as error:
        print("bug", error)
"""


@pytest.fixture
def start(tmp_path):
    """Starts the program on jobs of these kinds, ``count`` at a time; gives its process."""

    def start(count, *kinds):
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        words = [sys.executable, str(program), str(tmp_path), str(count), *kinds]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        return started[-1]

    started: list[subprocess.Popen[str]] = []
    yield start
    for process in started:
        process.kill()
        process.wait()


def is_alive(pid):
    """Whether the process runs; one that nobody waited for is dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_where_one_fails_its_neighbour_is_finished_and_no_further_one_begins(start, tmp_path):
    said = start(2, "wrong", "slow", "quick").communicate()[0].splitlines()
    assert said == ["done 1", f"error the recipe is wrong (see {tmp_path / '0.log'})"]
    assert not (tmp_path / "2.txt").exists()
    assert (tmp_path / "0.log").read_text().splitlines() == ["0 begins", "seglift: error: the recipe is wrong"]
    share = max(1, core_count() // 2)
    assert [int(threads) for threads in (tmp_path / "1.txt").read_text().split()[1:]] == [share, min(share, 8)]


def test_a_bug_comes_up_and_its_trace_lies_in_the_log(start, tmp_path):
    said = start(1, "quick", "bug", "quick").communicate()[0].splitlines()
    assert said == ["done 0", "bug 'a bug'"]
    assert "in work" in (tmp_path / "1.log").read_text()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_process_is_told_in_one_line(start, tmp_path):
    said = start(1, "quick", "killed", "quick").communicate()[0].splitlines()
    assert said[0] == "done 0" and len(said) == 2
    assert said[1].startswith("error a process that did runs was killed") and "1.log" in said[1]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them(start, tmp_path, how):
    process, path = start(1, "endless"), tmp_path / "0.log"
    deadline = time.monotonic() + 120
    while not path.is_file() or not path.read_text():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    worker = int((tmp_path / "0.txt").read_text().split()[0])
    assert is_alive(worker)
    process.send_signal(how)  # to that one alone
    process.wait(60)
    while is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
