"""The output folder: what counts as done, what may be continued, what is deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.workflows.label import output as label_output
from seglift.workflows.label.output import FOLDERS, WORK_FOLDER, FrameResult, LabelOutput

IDENTITY = {"method": "motion", "seed": 0}


def result(value=3, source=1):
    return FrameResult(*(np.full((4, 6), number, np.uint8) for number in (value, 128, source)))


@pytest.fixture
def output(tmp_path):
    return LabelOutput.open(tmp_path / "out", IDENTITY, False)


def fill(output, stems="abc"):
    for stem in stems:
        output.write_frame(stem, result(), {"key": f"key of {stem}"})


def test_a_frame_is_done_once_its_files_and_its_line_are_there(output):
    fill(output)
    entries = output.journal()
    assert list(entries) == ["a", "b", "c"] and entries["b"]["key"] == "key of b"
    assert entries["a"]["pixels"] == {"3": 24} and entries["a"]["mean_confidence"] == round(128 / 255, 6)
    assert entries["a"]["provenance"]["earlier"] == 1.0 and entries["a"]["estimated_miou"] is None
    for folder, stem in zip(FOLDERS, "abc", strict=True):
        (output.folder / folder / f"{stem}.png").unlink()
    assert output.journal() == {}


def test_the_last_line_of_a_stem_counts(output):
    fill(output)
    output.write_frame("b", result(5), {"key": "newer"})
    assert output.journal()["b"]["key"] == "newer" and output.journal()["b"]["pixels"] == {"5": 24}


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_torn_line_is_no_entry_and_swallows_none(output, cut):
    fill(output)
    journal = output.work / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    expected = ["a", "b"] if cut > 1 else ["a", "b", "c"]
    assert list(LabelOutput(output.folder).journal()) == expected
    fill(output, "d")
    assert list(output.journal()) == [*expected, "d"]


def test_zeros_after_a_power_cut(output):
    fill(output)
    with (output.work / "journal.jsonl").open("ab") as file:
        file.write(bytes(300))
    fill(output, "d")
    assert list(output.journal()) == ["a", "b", "c", "d"]


def test_stopped_after_a_replaced_png_the_old_entry_no_longer_counts(output, monkeypatch):
    """Edit, kill between PNG and journal, take the edit back: the old key must not vouch for the new PNG."""
    fill(output)
    again = LabelOutput.open(output.folder, IDENTITY, False)
    write, left = label_output.write_bytes, [1]

    def stop(path, data):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, data)

    monkeypatch.setattr(label_output, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        again.write_frame("b", result(5), {"key": "edited"})
    assert list(LabelOutput(output.folder).journal()) == ["a", "c"]
    left[0] = 99
    again.write_frame("b", result(), {"key": "key of b"})
    assert again.journal()["b"]["key"] == "key of b"


def test_compacting_is_for_superseded_lines(output):
    fill(output)
    journal = output.work / "journal.jsonl"
    before = journal.stat().st_ino
    output.compact_journal(output.journal().values())
    assert journal.stat().st_ino == before
    fill(output)
    assert len(journal.read_text().splitlines()) == 9  # each stem: told, taken back, told again
    output.compact_journal(output.journal().values())
    assert len(journal.read_text().splitlines()) == 3 and list(output.journal()) == ["a", "b", "c"]
    fill(output, "a")
    assert len(journal.read_text().splitlines()) == 5


def test_compacting_keeps_what_is_given(output):
    fill(output)
    output.compact_journal(entry for stem, entry in output.journal().items() if stem != "b")
    assert list(output.journal()) == ["a", "c"]


def test_another_identity_is_refused_and_named(output):
    fill(output)
    LabelOutput.open(output.folder, dict(IDENTITY), False)
    with pytest.raises(UserError, match=r"method motion -> paper.*--overwrite"):
        LabelOutput.open(output.folder, {**IDENTITY, "method": "paper"}, False)
    with pytest.raises(UserError, match="extra null -> 3"):
        LabelOutput(output.folder).check({**IDENTITY, "extra": 3}, False)
    assert list(output.journal()) == ["a", "b", "c"]


def test_overwrite_leaves_foreign_files(output):
    fill(output)
    (output.folder / "notes.txt").write_text("mine")
    LabelOutput.open(output.folder, {"method": "other"}, True)
    assert output.journal() == {} and not list((output.folder / "labels").iterdir())
    assert (output.folder / "notes.txt").read_text() == "mine"
    assert json.loads((output.work / "identity.json").read_text()) == {"method": "other"}


def test_a_trained_model_is_not_thrown_away_by_other_options(output):
    (output.work / "model").mkdir()
    with pytest.raises(UserError, match="--overwrite"):
        LabelOutput.open(output.folder, {"method": "other"}, False)


def test_stopped_at_any_step_of_overwriting_the_old_results_are_not_taken_for_new(output, monkeypatch):
    """After each of the deletions a crash; then the OUT is still ours and holds nothing that counts as done."""
    fill(output)
    (output.work / "model").mkdir()
    whole = output.folder.with_name("whole")
    shutil.copytree(output.folder, whole)
    steps = 0
    while True:
        shutil.rmtree(output.folder)
        shutil.copytree(whole, output.folder)
        left = [steps]

        def stop_at(original, left=left):
            def act(*args, **options):
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
                return original(*args, **options)

            return act

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", stop_at(shutil.rmtree))
            patch.setattr(Path, "unlink", stop_at(Path.unlink))
            try:
                LabelOutput.open(output.folder, {"method": "other"}, True)
                break
            except KeyboardInterrupt:
                pass
        if steps:
            assert output.journal() == {}
        again = LabelOutput.open(output.folder, {"method": "other"}, True)
        assert again.journal() == {} and not (again.work / "model").exists()
        steps += 1
    assert steps > 5


def test_leftovers_of_a_killed_run_are_swept(output):
    for folder in (*FOLDERS, WORK_FOLDER, "."):
        (output.folder / folder / ".a.png.x1y2.part").write_bytes(b"half")
    LabelOutput.open(output.folder, IDENTITY, False)
    assert not [path for path in output.folder.rglob("*") if path.name.endswith(".part")]


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written; choose another --out"):
        LabelOutput(tmp_path / "file" / "below" / "out").check(IDENTITY, False)


def test_strangers_go(output):
    fill(output)
    for name in ("gap-old", "gap-new"):
        (output.work / name).mkdir()
    output.remove_strangers(["a", "c"], ["gap-new"])
    assert sorted(path.name for path in (output.folder / "labels").iterdir()) == ["a.png", "c.png"]
    assert (output.work / "gap-new").is_dir() and not (output.work / "gap-old").exists()
