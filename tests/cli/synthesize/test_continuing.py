"""A run that is killed, whose inputs change, or that meets another run's folder."""

from __future__ import annotations

import json
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

SKIP = ("timing.json", ".seglift-synthesize")


@pytest.fixture
def big(moving, tmp_path):
    return moving.write_dataset(tmp_path / "big" / "data", clips="abcdef", labelled=(1, 4, 7))


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_killed_anywhere_it_goes_on_to_the_same_bytes(start, words, tree, tmp_path, big, lines):
    start(words("--workers", "2", data=big, out="whole")).wait().done()
    journal = tmp_path / "out/.seglift-synthesize/journal.jsonl"

    def reached():
        if not lines:
            return any((tmp_path / "out/labels").glob("train/*/*.png"))
        return journal.is_file() and len(journal.read_text().split("\n")) > lines

    killed = start(words("--workers", "2", data=big)).stop_when(reached, signal.SIGKILL)
    assert killed.status == -signal.SIGKILL and not (tmp_path / "out/manifest.jsonl").exists()
    ran = start(words("--workers", "2", data=big)).wait().done()
    assert ("labelled frames are up to date" in ran.err) == (lines > 0)
    assert tree(tmp_path / "out", SKIP) == tree(tmp_path / "whole", SKIP)


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def test_nothing_is_made_twice(exact, synthesize, tmp_path):
    synthesize().done()
    before, asked = times(tmp_path / "out"), exact.asked
    ran = synthesize().done()
    assert "2 of 2 labelled frames are up to date, 0 are to be done" in ran.err
    assert times(tmp_path / "out") == before and exact.asked == asked
    # A missing file is made again, with those of its labelled frame.
    (tmp_path / "out/confidence/train/b_f04/f05.png").unlink()
    synthesize().done()
    changed = {path for path, when in times(tmp_path / "out").items() if before.get(path) != when}
    assert changed == set((tmp_path / "out").glob("*/train/b_f04/*.png")) and len(changed) == 16


@pytest.mark.parametrize("change", ["label", "frame", "cut", "instances", "item"])
def test_what_changed_is_made_again(exact, synthesize, tmp_path, root, change, tree):
    synthesize().done()
    before = times(tmp_path / "out")
    folder = root / "images/train/b"
    if change == "label":
        label = np.array(Image.open(root / "labels/train/b/f04.png"))
        Image.fromarray(np.where(label == 7, 8, label).astype(np.uint8)).save(root / "labels/train/b/f04.png")
    elif change == "frame":  # a frame on the way, itself no target
        (folder / "f02.png").write_bytes((folder / "f03.png").read_bytes())
    elif change == "cut":
        (folder / "f07.png").unlink()
        (folder / "f08.png").unlink()
    elif change == "instances":
        (root / "instances/train/b/f04.png").unlink()
    else:
        (root / "labels/train/b/f04.png").unlink()
        (root / "instances/train/b/f04.png").unlink()
    synthesize().done()
    after = times(tmp_path / "out")
    assert {path: when for path, when in after.items() if "a_f04" in str(path)} == {
        path: when for path, when in before.items() if "a_f04" in str(path)
    }
    synthesize(out="new").done()
    assert tree(tmp_path / "out", SKIP) == tree(tmp_path / "new", SKIP)


def test_other_options_are_refused(exact, synthesize, tmp_path, tree):
    synthesize().done()
    before = tree(tmp_path / "out", SKIP)
    for more, named in (
        (("--distances", "1,2"), r"distances [1, 3] -> [1, 2]"),
        (("--pairs", "joint"), "pairs label -> joint"),
        (("--no-confidence",), "confidence true -> false"),
        (("--option", "every=4"), "options"),
    ):
        error = synthesize(*more).error
        assert named in error and "or start anew with --overwrite" in error
        assert synthesize(*more, "--dry-run").error == error
    assert tree(tmp_path / "out", SKIP) == before
    synthesize("--distances", "2", "--no-confidence", "--overwrite").done()
    synthesize("--distances", "2", "--no-confidence", out="new").done()
    assert tree(tmp_path / "out", SKIP) == tree(tmp_path / "new", SKIP)
    assert not (tmp_path / "out/confidence").exists()
    # Workers, and where the data lie, change nothing.
    shutil.move(tmp_path / "data", tmp_path / "moved")
    ran = synthesize("--distances", "2", "--no-confidence", "--workers", "2", data=tmp_path / "moved").done()
    assert "2 of 2 labelled frames are up to date" in ran.err


def test_foreign_folders(exact, synthesize, tmp_path, root):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/holiday.jpg").touch()
    for more in ((), ("--overwrite",), ("--dry-run",)):
        assert "holds other files than those of seglift synthesize; choose another --out" in synthesize(*more).error
    (tmp_path / "file").touch()
    assert "is a file; give a folder" in synthesize(out="file").error
    for out in ("data", "data/out", "."):
        error = synthesize(out=out).error
        assert "choose another --out" in error and "the dataset's folder" in error
    assert {path.name for path in root.iterdir()} == {"space.yaml", "images", "labels", "instances"}


def test_one_writer(exact, synthesize, tmp_path):
    from seglift.workflows.outputs.lock import only_writer

    synthesize().done()
    with only_writer(tmp_path / "out", tmp_path / "out/.seglift-synthesize"):
        assert "another seglift command is writing to" in synthesize("--seed", 0).error


def test_a_full_disk(exact, synthesize, tmp_path, full_disk, tree, moving):
    data = moving.write_dataset(tmp_path / "one" / "data", clips="a")
    with full_disk():
        assert "cannot write" in synthesize(data=data).error
    assert not list((tmp_path / "out").rglob("*.part"))
    synthesize(data=data).done()
    synthesize(data=data, out="new").done()
    assert tree(tmp_path / "out", SKIP) == tree(tmp_path / "new", SKIP)
    assert json.loads((tmp_path / "out/run.json").read_text())["planned"]["pairs"] == 4
