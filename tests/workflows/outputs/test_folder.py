"""Whose a folder is, and what a killed run leaves in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.workflows.outputs.folder import OutputFolder, OutputKind

KIND = OutputKind("predict", "predictions", ("labels", "instances"), (), frozenset({"stem"}))


def make(out: Path) -> OutputFolder:
    return OutputFolder(out, {"model": "a"}, KIND)


def test_a_run_that_was_killed_before_its_first_file_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".seglift-predict").mkdir()
    (tmp_path / ".run.json.abc.part").write_bytes(b"{")
    make(tmp_path).check(overwrite=False)
    make(tmp_path).open({}, False, ("labels",))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".seglift-predict", "labels", "run.json"]


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files than those of seglift predict"):
        make(tmp_path).check(overwrite=True)


def test_temporary_files_go_at_any_depth(tmp_path: Path) -> None:
    output = make(tmp_path)
    output.open({}, False, ("labels",))
    for name in ("labels", "instances"):
        (tmp_path / name / "a" / "b").mkdir(parents=True)
        (tmp_path / name / "a" / "b" / ".0.png.abc.part").write_bytes(b"x")
        (tmp_path / name / "a" / "b" / "0.png").write_bytes(b"x")
    output.journal.append({"stem": "a/b/0"})
    output.open({}, False, ("labels",))
    output.clean("instances")
    assert [path.name for path in sorted(tmp_path.rglob("*")) if path.suffix in (".png", ".part")] == ["0.png"] * 2
