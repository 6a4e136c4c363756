from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from seglift.base.locks import file_lock

pytest.importorskip("fcntl")

HOLD = """
import sys
from pathlib import Path
from seglift.base.locks import file_lock
with file_lock(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock until it is written to."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "a" / "lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_held_lock_is_refused_at_once(holder, tmp_path):
    with pytest.raises(BlockingIOError), file_lock(tmp_path / "a" / "lock", wait=False):
        pass


def test_waiting_ends_when_the_holder_lets_go(holder, tmp_path):
    entered = threading.Event()

    def enter():
        with file_lock(tmp_path / "a" / "lock", wait=True):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.3)
    holder.stdin.write("\n")
    holder.stdin.flush()
    assert entered.wait(20)
    thread.join()


def test_a_killed_holder_lets_go(holder, tmp_path):
    holder.kill()
    holder.wait()
    with file_lock(tmp_path / "a" / "lock", wait=False):
        pass
