"""Two runs on one OUT: the second is refused until the first ends, however it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.workflows.outputs.lock import only_writer

pytest.importorskip("fcntl")

HOLDER = """
import sys
from pathlib import Path
from seglift.workflows.outputs.lock import only_writer
out = Path(sys.argv[1])
with only_writer(out, out / "work"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    work = tmp_path / "out" / "work"
    with only_writer(tmp_path / "out", work):
        with pytest.raises(UserError, match="another seglift command is writing to"), only_writer(work.parent, work):
            raise AssertionError("two writers")
        with only_writer(tmp_path, tmp_path / "other"):
            pass
    with only_writer(work.parent, work):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another"), only_writer(tmp_path, tmp_path / "work"):
            raise AssertionError("two writers")
        holder.kill()
    with only_writer(tmp_path, tmp_path / "work"):
        pass


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="choose another --out"), only_writer(tmp_path, tmp_path / "file" / "work"):
        raise AssertionError("no folder")
