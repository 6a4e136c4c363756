"""Running ``seglift label`` again: nothing twice, only touched gaps anew, other options refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

KINDS = ("labels", "confidence", "provenance")


def times(out):
    return {path.relative_to(out): path.stat().st_mtime_ns for kind in KINDS for path in (out / kind).iterdir()}


def changed(before, after):
    """Indices of the frames any of whose files were written again."""
    return sorted({int(path.stem[1:]) for path in after if before.get(path) != after[path]})


def pixels(path):
    return np.array(Image.open(path))


@pytest.mark.parametrize("method", ["motion", "inpaint", "refine"])
def test_equal_runs_give_equal_bytes(clip, label, small_model, tree, tmp_path, method):
    more = ("--method", method, "--ground-truth", clip.truth) + (("--model-steps", 3) if method != "motion" else ())
    label(clip, tmp_path / "a", *more).done()
    label(clip, tmp_path / "b", *more).done()
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_second_run_labels_nothing(clip, label, small_model, tree, tmp_path):
    out = tmp_path / "out"
    more = ("--method", "inpaint", "--model-steps", 2)
    label(clip, out, *more).done()
    before, files = times(out), tree(out)
    model = (out / ".seglift/model/best.safetensors").stat().st_mtime_ns
    label(clip, out, *more).done()
    assert times(out) == before and tree(out) == files
    assert (out / ".seglift/model/best.safetensors").stat().st_mtime_ns == model
    assert json.loads((out / "timing.json").read_text())["frames_labelled"] == 0


@pytest.fixture
def long(build_clip, tmp_path):
    return build_clip(tmp_path, 16, keyframes=(2, 6, 10))


def paint(clip, index, tmp_path):
    """The annotator corrects a keyframe."""
    path = clip.keyframes / f"{clip.stems[index]}.png"
    label = pixels(path)
    label[:10, :10] = 11
    Image.fromarray(label).save(path)


def add(clip, index, tmp_path):
    clip.show(index)


def remove(clip, index, tmp_path):
    (clip.keyframes / f"{clip.stems[index]}.png").unlink()


@pytest.mark.parametrize(
    ("change", "index", "touched"),
    [
        (paint, 6, range(3, 10)),
        (paint, 2, range(6)),
        (paint, 10, range(7, 16)),
        (add, 8, range(7, 10)),
        (add, 0, range(2)),
        (add, 15, range(11, 16)),
        (add, 7, range(7, 10)),
        (remove, 6, range(3, 10)),
        (remove, 10, range(7, 16)),
        (remove, 2, range(6)),
    ],
)
def test_only_touched_gaps_are_labelled_again(long, label, tree, tmp_path, change, index, touched):
    out = tmp_path / "out"
    label(long, out).done()
    before = times(out)
    change(long, index, tmp_path)
    label(long, out).done()
    assert changed(before, times(out)) == list(touched)
    label(long, tmp_path / "fresh").done()
    assert tree(out) == tree(tmp_path / "fresh")
    assert not list((out / ".seglift").glob("gap-*"))


def test_a_changed_keyframe_keeps_the_trained_model(long, label, small_model, tmp_path):
    out, more = tmp_path / "out", ("--method", "inpaint", "--model-steps", 2)
    label(long, out, *more).done()
    before = times(out)
    add(long, 8, tmp_path)
    ran = label(long, out, *more).done()
    assert "trained on earlier keyframes is used again" in ran.err
    assert changed(before, times(out)) == [7, 8, 9]


def test_lost_files_are_made_again(long, label, tree, tmp_path):
    out = tmp_path / "out"
    label(long, out).done()
    before, files = times(out), tree(out)
    (out / "labels/f004.png").unlink()
    (out / "confidence/f013.png").unlink()
    (out / "report.html").unlink()
    label(long, out).done()
    assert tree(out) == files and changed(before, times(out)) == [4, 13]


def test_a_changed_frame_is_noticed(long, label, tree, tmp_path):
    out = tmp_path / "out"
    label(long, out).done()
    before = times(out)
    (long.frames / "f004.png").write_bytes((long.frames / "f003.png").read_bytes())
    label(long, out).done()
    assert changed(before, times(out)) == [3, 4, 5]


@pytest.mark.parametrize(
    "option",
    [
        ("--direction", "forward"), ("--settings", "paper"), ("--max-distance", "3"), ("--frames", "0:9"),
        ("--seed", "1"), ("--motion", "dis:fast"), ("--out-of-view", "void"), ("--space", "gta5"),
        ("--method", "semantic", "--model-steps", "1"), ("--resample", "recursive"),
    ],
)  # fmt: skip
def test_other_options_are_refused(clip, label, tree, tmp_path, option):
    out = tmp_path / "out"
    label(clip, out).done()
    files = tree(out, ())
    error = label(clip, out, *option).error
    assert str(out) in error and "--overwrite" in error
    assert tree(out, ()) == files


def test_overwrite_starts_anew(clip, label, tree, tmp_path):
    out = tmp_path / "out"
    label(clip, out).done()
    (out / "mine.txt").write_text("kept")
    label(clip, out, "--settings", "paper", "--overwrite").done()
    label(clip, tmp_path / "fresh", "--settings", "paper").done()
    assert tree(out) == {**tree(tmp_path / "fresh"), "mine.txt": b"kept"}


def test_ground_truth_may_come_later(clip, label, tree, tmp_path):
    out = tmp_path / "out"
    label(clip, out).done()
    before, page = times(out), (out / "report.html").read_bytes()
    ran = label(clip, out, "--ground-truth", clip.truth).done()
    assert times(out) == before and "6 frames: mIoU" in ran.out
    assert (out / "report.html").read_bytes() != page
    label(clip, tmp_path / "at once", "--ground-truth", clip.truth).done()
    assert tree(out) == tree(tmp_path / "at once")
    label(clip, out).done()
    assert times(out) == before and (out / "report.html").read_bytes() == page


def test_a_mistake_leaves_an_out_that_takes_other_options(clip, label, tmp_path):
    """Nothing was labelled with the wrong options, so nothing speaks against the right ones."""
    out = tmp_path / "out"
    (tmp_path / "no.safetensors").write_bytes(b"no weights")
    assert "no.safetensors" in label(clip, out, "--method", "inpaint", "--model", tmp_path / "no.safetensors").error
    label(clip, out).done()


def test_unknown_motion_is_said_before_any_work(clip, label, tmp_path):
    error = label(clip, tmp_path / "out", "--motion", "diss").error
    assert "'diss'" in error and "dis:fast" in error and "raft" in error
    assert not (tmp_path / "out").exists()
