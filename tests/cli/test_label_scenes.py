"""Nothing is carried across a scene cut, and labels stay on repeated frames."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

HUMAN, EARLIER, LATER, MODEL, NONE = 0, 1, 2, 3, 5
KINDS = ("labels", "confidence", "provenance")


def other_scene(index):
    """Frame ``index`` of another street: RGB picture and Cityscapes ids of blocks that pass by."""
    generator = np.random.default_rng(11)
    image = np.full((64, 130, 3), 90, np.uint8)
    label = np.full((64, 130), 7, np.uint8)
    for _ in range(60):
        x, y = (int(v) for v in generator.integers(0, (125, 60)))
        width, height = (int(v) for v in generator.integers(3, 14, 2))
        cv2.rectangle(image, (x, y), (x + width, y + height), [int(v) for v in generator.integers(0, 256, 3)], -1)
    label[:, 60:100] = 11
    return image[:, index : index + 96], label[:, index : index + 96]


@pytest.fixture
def cut_clip(build_clip, save, tmp_path):
    """Twelve frames, another scene from frame 4 to frame 8; keyframes 1, 6 and 11."""
    clip = build_clip(tmp_path, 12, keyframes=())
    for index in range(4, 9):
        image, label = other_scene(index)
        save(clip.frames / f"{clip.stems[index]}.png", image)
        save(clip.truth / f"{clip.stems[index]}.png", label)
    return clip.show(1, 6, 11)


def rows(out):
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


def sources(out, stem):
    return set(np.unique(np.array(Image.open(out / "provenance" / f"{stem}.png"))))


def run_json(out):
    return json.loads((out / "run.json").read_text())


def times(out):
    return {path.relative_to(out): path.stat().st_mtime_ns for kind in KINDS for path in (out / kind).iterdir()}


def changed(before, after):
    return sorted({int(path.stem[1:]) for path in after if before.get(path) != after[path]})


def repeat(clip, index, times):
    """The camera froze: ``times`` frames after ``index`` show the same."""
    for later in range(index + 1, index + 1 + times):
        shutil.copyfile(clip.frames / f"{clip.stems[index]}.png", clip.frames / f"{clip.stems[later]}.png")


def test_nothing_is_carried_across_a_cut(cut_clip, label, tmp_path):
    out = tmp_path / "out"
    ran = label(cut_clip, out, "--ground-truth", cut_clip.truth).done()
    assert [row["keyframes"] for row in rows(out)] == [
        [None, 1], [1, 1], [1, None], [1, None],
        [None, 6], [None, 6], [6, 6], [6, None], [6, None],
        [None, 11], [None, 11], [11, 11],
    ]  # fmt: skip
    assert [row["distance"] for row in rows(out)] == [1, 0, 1, 2, 2, 1, 0, 1, 2, 2, 1, 0]
    expected = [LATER, HUMAN, EARLIER, EARLIER, LATER, LATER, HUMAN, EARLIER, EARLIER, LATER, LATER, HUMAN]
    assert [sources(out, stem) for stem in cut_clip.stems] == [{source} for source in expected]
    assert run_json(out)["scenes"] == {
        "cuts": [{"index": 4, "stem": "f004"}, {"index": 9, "stem": "f009"}],
        "repeats": [],
    }
    sentence = "2 scene cuts: labels are not carried across"
    page = (out / "report.html").read_text()
    assert sentence in ran.err and sentence in page
    assert page.count("scene cut</span>") == 2  # the legends of both charts over time


def test_a_scene_without_keyframe_is_unknown_to_motion(cut_clip, label, tmp_path):
    (cut_clip.keyframes / "f006.png").unlink()
    out = tmp_path / "out"
    label(cut_clip, out, "--ground-truth", cut_clip.truth).done()
    for row in rows(out)[4:9]:
        assert row["keyframes"] == [None, None] and row["distance"] is None
        assert sources(out, row["stem"]) == {NONE}
        assert row["mean_confidence"] == 0.0 and row["estimated_miou"] is None


def test_a_scene_without_keyframe_is_left_to_the_model(cut_clip, label, small_model, tmp_path):
    (cut_clip.keyframes / "f006.png").unlink()
    out = tmp_path / "out"
    label(cut_clip, out, "--method", "inpaint", "--model-steps", 2).done()
    assert all(sources(out, cut_clip.stems[index]) == {MODEL} for index in range(4, 9))


def test_temporal_consistency_leaves_out_pairs_across_cuts(cut_clip, label, run, tmp_path):
    out = tmp_path / "out"
    label(cut_clip, out).done()

    def pairs(prediction):
        words = ("score", prediction, cut_clip.truth, "--space", "cityscapes", "--frames", cut_clip.frames)
        run(*words, "--json", tmp_path / "scores.json").done()
        return json.loads((tmp_path / "scores.json").read_text())["temporal_consistency"]["pairs"]

    assert pairs(out) == pairs(out / "labels") == 9
    (out / "run.json").write_text("{}")
    assert pairs(out) == 11
    (out / "run.json").write_text('{"scenes": {"cuts": [4]}}')
    ran = run("score", out, cut_clip.truth, "--space", "cityscapes", "--frames", cut_clip.frames)
    assert "run.json is not what seglift label writes" in ran.error


def test_detection_can_be_switched_off(cut_clip, label, tmp_path):
    out = tmp_path / "out"
    label(cut_clip, out, "--cuts", "none").done()
    assert rows(out)[4]["keyframes"] == [1, 6]
    assert run_json(out)["scenes"] is None
    assert "scene cut" not in (out / "report.html").read_text()
    assert "--cuts" in label(cut_clip, out).error
    assert "--cuts is 'some'" in label(cut_clip, tmp_path / "other", "--cuts", "some").error


@pytest.mark.parametrize("keyframe", [2, 4, 8])
def test_a_new_keyframe_touches_its_scene_only(cut_clip, label, tree, tmp_path, keyframe):
    out = tmp_path / "out"
    label(cut_clip, out).done()
    before = times(out)
    cut_clip.show(keyframe)
    label(cut_clip, out).done()
    assert changed(before, times(out)) == {2: [2, 3], 4: [4, 5], 8: [7, 8]}[keyframe]
    label(cut_clip, tmp_path / "fresh").done()
    assert tree(out) == tree(tmp_path / "fresh")


def test_a_cut_that_goes_away_is_noticed(cut_clip, label, tree, build_clip, tmp_path):
    out = tmp_path / "out"
    label(cut_clip, out).done()
    before = times(out)
    whole = build_clip(tmp_path / "whole", 12, keyframes=())
    for index in (7, 8):
        shutil.copyfile(whole.frames / f"{whole.stems[index]}.png", cut_clip.frames / f"{cut_clip.stems[index]}.png")
    label(cut_clip, out).done()
    assert [entry["index"] for entry in run_json(out)["scenes"]["cuts"]] == [4, 7]
    assert changed(before, times(out)) == [7, 8, 9, 10]
    label(cut_clip, tmp_path / "fresh").done()
    assert tree(out) == tree(tmp_path / "fresh")


def test_frames_are_cut_first(cut_clip, label, tmp_path):
    """Indices in run.json are those of the video, as in frames.jsonl."""
    out = tmp_path / "out"
    label(cut_clip, out, "--frames", "5:").done()
    assert run_json(out)["scenes"]["cuts"] == [{"index": 9, "stem": "f009"}]
    assert [row["keyframes"] for row in rows(out)][:3] == [[None, 6], [6, 6], [6, None]]


@pytest.mark.parametrize("method", ["motion", "inpaint"])
def test_labels_stay_on_repeated_frames(build_clip, label, small_model, tmp_path, method):
    clip = build_clip(tmp_path, 12, keyframes=(0, 11))
    repeat(clip, 4, 3)
    out = tmp_path / "out"
    more = ("--model-steps", 2) if method == "inpaint" else ()
    ran = label(clip, out, "--method", method, *more).done()
    for kind in KINDS:
        twins = [(out / kind / f"{clip.stems[index]}.png").read_bytes() for index in range(4, 8)]
        assert twins[1:] == twins[:1] * 3
    assert [entry["index"] for entry in run_json(out)["scenes"]["repeats"]] == [5, 6, 7]
    assert "3 frames repeat the one before: labels stay" in ran.err


@pytest.mark.parametrize("direction", ["both", "forward", "backward"])
def test_a_frame_that_repeats_a_keyframe_has_its_labels(build_clip, label, tmp_path, direction):
    clip = build_clip(tmp_path, 12, keyframes=(3, 9))
    repeat(clip, 3, 2)
    repeat(clip, 7, 2)
    clip.show(9)
    out = tmp_path / "out"
    label(clip, out, "--direction", direction).done()
    for twin, keyframe, reached in ((4, 3, EARLIER), (5, 3, EARLIER), (7, 9, LATER), (8, 9, LATER)):
        stem = clip.stems[twin]
        if direction == "both" or direction == ("forward" if reached == EARLIER else "backward"):
            assert sources(out, stem) == {reached}
            drawn, carried = (np.array(Image.open(out / "labels" / f"{clip.stems[i]}.png")) for i in (keyframe, twin))
            assert np.array_equal(drawn, carried)
            assert (np.array(Image.open(out / "confidence" / f"{stem}.png")) == 255).all()
