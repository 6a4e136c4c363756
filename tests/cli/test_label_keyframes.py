"""What neighbouring keyframes say of each other: agreement, contradictions, and keyframes that teach little."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

VOID, ROAD, SKY = 0, 7, 23


def pixels(path):
    return np.array(Image.open(path))


def draw(clip, index, label):
    Image.fromarray(label).save(clip.keyframes / f"{clip.stems[index]}.png")


def run_json(out):
    return json.loads((out / "run.json").read_text())


def swap(label):
    swapped = label.copy()
    swapped[label == ROAD], swapped[label == SKY] = SKY, ROAD
    return swapped


def warnings(ran):
    return [line for line in ran.err.splitlines() if line.startswith("warning: ")]


def test_agreement_is_reported(clip, label, tmp_path):
    ran = label(clip, tmp_path / "out").done()
    assert not warnings(ran)
    run = run_json(tmp_path / "out")
    assert run["warnings"] == []
    assert [pair["keyframes"] for pair in run["keyframe_pairs"]] == [["f000", "f004"], ["f004", "f008"]]
    assert [pair["indices"] for pair in run["keyframe_pairs"]] == [[0, 4], [4, 8]]
    for pair in run["keyframe_pairs"]:
        for direction in ("forward", "backward"):
            assert 0.9 < pair[direction]["pixel_accuracy"] <= 1.0
            assert 0.5 < pair[direction]["miou"] <= 1.0
            assert 0.9 < pair[direction]["compared"] <= 1.0
            assert pair[direction]["trusted_disagreement"] < 0.01
        assert pair["confidence_offset"] >= 0.0
        assert pair["contradiction"] is False
    told = r"carried over a whole gap, labels agree with yours on (\d+) % of the pixels in view\."
    found = re.search(told, (tmp_path / "out/report.html").read_text())
    assert found is not None
    assert int(found[1]) > 90


def test_a_contradiction_is_one_line_and_no_error(clip, label, tmp_path):
    draw(clip, 4, swap(pixels(clip.truth / "f004.png")))
    ran = label(clip, tmp_path / "out").done()
    lines = warnings(ran)
    assert len(lines) == 2  # with the keyframe before and with the one after
    assert "f000 and f004" in lines[0]
    assert "f004 and f008" in lines[1]
    assert " 100 % of 'road'" in lines[0]
    run = run_json(tmp_path / "out")
    assert [f"warning: {line}" for line in run["warnings"]] == lines
    assert all(pair["contradiction"] for pair in run["keyframe_pairs"])
    assert "Warning: keyframes f000 and f004 contradict each other" in (tmp_path / "out/report.html").read_text()
    again = label(clip, tmp_path / "out").done()  # nothing is computed again, yet the user is told
    assert warnings(again) == lines
    draw(clip, 4, pixels(clip.truth / "f004.png"))
    assert not warnings(label(clip, tmp_path / "out").done())


def test_only_pairs_that_touch_a_changed_keyframe_change(build_clip, label, tmp_path):
    clip, out = build_clip(tmp_path, 13, keyframes=(0, 4, 8, 12)), tmp_path / "out"
    label(clip, out).done()
    before = run_json(out)["keyframe_pairs"]
    draw(clip, 12, swap(pixels(clip.truth / "f012.png")))
    label(clip, out).done()
    after = run_json(out)["keyframe_pairs"]
    assert [mine == other for mine, other in zip(before, after, strict=True)] == [True, True, False]
    (clip.keyframes / "f004.png").unlink()
    label(clip, out).done()
    assert [pair["indices"] for pair in run_json(out)["keyframe_pairs"]] == [[0, 8], [8, 12]]
    assert len(list((out / ".seglift/arrivals").iterdir())) == 2


def test_adding_and_removing_ends_with_the_bytes_of_a_fresh_run(clip, label, tree, tmp_path):
    label(clip, tmp_path / "a").done()
    draw(clip, 4, swap(pixels(clip.truth / "f004.png")))
    label(clip, tmp_path / "a").done()
    label(clip, tmp_path / "b").done()
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.parametrize("more", [("--direction", "forward"), ("--direction", "backward"), ("--max-distance", 1)])
def test_keyframes_that_do_not_reach_each_other_say_nothing(clip, label, tmp_path, more):
    label(clip, tmp_path / "out", *more).done()
    assert run_json(tmp_path / "out")["keyframe_pairs"] == []
    assert "carried over a whole gap" not in (tmp_path / "out/report.html").read_text()


def test_one_keyframe(build_clip, label, tmp_path):
    clip = build_clip(tmp_path, 5, keyframes=(2,))
    assert not warnings(label(clip, tmp_path / "out").done())
    assert run_json(tmp_path / "out")["keyframe_pairs"] == []


def test_a_keyframe_that_is_almost_all_void(clip, label, tmp_path):
    drawn = np.full((64, 96), VOID, np.uint8)
    drawn[-2:] = ROAD
    draw(clip, 4, drawn)
    line = "warning: keyframe f004 is 97 % void: little to learn from"
    assert label(clip, tmp_path / "out", "--dry-run").done().out.splitlines()[-1] == line
    ran = label(clip, tmp_path / "out").done()
    assert warnings(ran) == [line]
    assert "97 % void" in (tmp_path / "out/report.html").read_text()
    for frame in ("f001", "f003", "f005"):  # the void that was drawn goes no further than its frame
        assert (pixels(tmp_path / f"out/labels/{frame}.png") != VOID).mean() > 0.9
    assert (pixels(tmp_path / "out/labels/f004.png") == drawn).all()


def test_keyframes_of_nothing_but_void(clip, label, tmp_path):
    for index in (0, 4, 8):
        draw(clip, index, np.full((64, 96), VOID, np.uint8))
    ran = label(clip, tmp_path / "out").done()
    assert len(warnings(ran)) == 3
    assert run_json(tmp_path / "out")["keyframe_pairs"][0]["forward"]["pixel_accuracy"] is None
    assert (pixels(tmp_path / "out/labels/f002.png") == VOID).all()


def test_keyframes_of_one_class(clip, label, tmp_path):
    for index in (0, 4, 8):
        draw(clip, index, np.full((64, 96), ROAD, np.uint8))
    assert not warnings(label(clip, tmp_path / "out").done())
    assert (pixels(tmp_path / "out/labels/f002.png") == ROAD).all()
    assert run_json(tmp_path / "out")["keyframe_pairs"][0]["forward"]["pixel_accuracy"] == 1.0


@pytest.mark.parametrize("cuts", ["auto", "none"])
def test_a_camera_that_sees_nothing_move(clip, label, tmp_path, cuts):
    for stem in clip.stems:
        shutil.copyfile(clip.frames / "f000.png", clip.frames / f"{stem}.png") if stem != "f000" else None
    truth = pixels(clip.truth / "f000.png")
    for index in (0, 4, 8):
        draw(clip, index, truth)
    assert not warnings(label(clip, tmp_path / "out", "--cuts", cuts).done())
    assert all(np.array_equal(pixels(path), truth) for path in (tmp_path / "out/labels").iterdir())
    pair = run_json(tmp_path / "out")["keyframe_pairs"][0]
    assert pair["forward"]["pixel_accuracy"] == pair["backward"]["miou"] == 1.0
    draw(clip, 4, swap(truth))
    assert len(warnings(label(clip, tmp_path / "other", "--cuts", cuts).done())) == 2
