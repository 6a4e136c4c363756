"""``seglift score --frames``: temporal consistency from the command line."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def score(run, clip, tmp_path):
    def score(*more):
        words = ("score", *more, "--space", "cityscapes", "--json", tmp_path / "s.json")
        ran = run(*words).done()
        return json.loads((tmp_path / "s.json").read_text()), ran.out

    return score


@pytest.fixture
def flicker(clip, save, tmp_path):
    """The truth, but the car of every other frame is called a truck."""
    for index, stem in enumerate(clip.stems):
        label = np.array(Image.open(clip.truth / f"{stem}.png"))
        label[(label == 26) & (index % 2 == 1)] = 27
        save(tmp_path / f"flicker/{stem}.png", label)
    return tmp_path / "flicker"


def test_truth_is_consistent_and_flicker_is_not(clip, flicker, score):
    steady, printed = score(clip.truth, clip.truth, "--frames", clip.frames)
    found = steady["temporal_consistency"]
    assert found["motion"] == "dis" and found["pairs"] == 8
    assert found["miou"] > 0.95 and found["agreement"] > 0.98
    assert f"temporal consistency: mIoU {100 * found['miou']:.1f}" in printed and "motion dis" in printed
    usual, _ = score(clip.truth, clip.truth)
    assert usual == {key: value for key, value in steady.items() if key != "temporal_consistency"}
    worse = score(flicker, clip.truth, "--frames", clip.frames)[0]["temporal_consistency"]
    # Road, sky and person agree as before; car and truck never.
    assert worse["miou"] == pytest.approx(3 / 5 * found["miou"], abs=0.05)
    car = 20 * 20 / (64 * 96)
    assert worse["agreement"] == pytest.approx(found["agreement"] - car, abs=0.02)


def test_another_motion(clip, score):
    found, _ = score(clip.truth, clip.truth, "--frames", clip.frames, "--motion", "dis:medium")
    assert found["temporal_consistency"]["motion"] == "dis:medium"


def test_selections(clip, score):
    def pairs(*more):
        return score(clip.truth, clip.truth, "--frames", clip.frames, *more)[0]["temporal_consistency"]["pairs"]

    assert pairs("--keyframes", clip.keyframes) == 4  # 1-2, 2-3, 5-6, 6-7
    clip.keyframes.joinpath("f008.png").unlink()
    assert pairs("--keyframes", clip.keyframes) == 5
    assert pairs("--keyframes", clip.keyframes, "--between") == 2


def test_no_ground_truth_is_needed_and_missing_predictions_make_no_pair(clip, flicker, score):
    for index in (1, 2, 3, 6):
        (clip.truth / f"f00{index}.png").unlink()
    assert score(flicker, clip.truth, "--frames", clip.frames)[0]["temporal_consistency"]["pairs"] == 8
    (flicker / "f005.png").unlink()
    found, _ = score(flicker, clip.truth, "--frames", clip.frames, "--allow-missing")
    assert found["temporal_consistency"]["pairs"] == 6 and found["frames"] == 4


def test_an_out_of_label(clip, label, score, tmp_path):
    label(clip, tmp_path / "out").done()
    found, _ = score(tmp_path / "out", clip.truth, "--frames", clip.frames)
    assert found["temporal_consistency"]["pairs"] == 8 and found["temporal_consistency"]["miou"] > 0.9
    assert {"confidence", "temporal_consistency"} <= found.keys()


def test_bad_input(run, clip, flicker, save, tmp_path):
    def error(*more, prediction=flicker):
        return run("score", prediction, clip.truth, "--space", "cityscapes", *more).error

    assert "--motion is for" in error("--motion", "dis")
    assert "no frames at" in error("--frames", tmp_path / "nowhere")
    assert "motion 'fast' is unknown" in error("--frames", clip.frames, "--motion", "fast")
    assert "nothing.safetensors" in error(
        "--frames", clip.frames, "--motion", f"raft:{tmp_path / 'nothing.safetensors'}"
    )
    assert "no two neighbouring" in error("--frames", clip.frames, "--allow-missing", prediction=clip.keyframes)
    shutil.copytree(clip.frames, tmp_path / "fewer")
    (tmp_path / "fewer/f004.png").unlink()
    found = error("--frames", tmp_path / "fewer")
    assert "f004.png" in found and "belongs to no frame" in found
    for index, stem in enumerate(clip.stems):
        save(tmp_path / f"small/{stem}.png", np.full((32, 48, 3), index, np.uint8))
    assert "f000.png is 96x64, its frame is 48x32" in error("--frames", tmp_path / "small")
    (tmp_path / "fewer/f004.png").write_bytes(b"")
    assert "f004.png is empty" in error("--frames", tmp_path / "fewer")
    for stem in clip.stems:
        (flicker / stem).mkdir()
        (flicker / f"{stem}.png").rename(flicker / stem / f"{stem}.png")
    assert "several clips" in error("--frames", clip.frames)


def test_frames_of_a_video(clip, score, tmp_path):
    height, width = 64, 96
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    (tmp_path / "numbered").mkdir()
    for index, stem in enumerate(clip.stems):
        writer.write(cv2.imread(str(clip.frames / f"{stem}.png")))
        shutil.copyfile(clip.truth / f"{stem}.png", tmp_path / f"numbered/{index:06d}.png")
    writer.release()
    words = (tmp_path / "numbered", tmp_path / "numbered", "--frames", tmp_path / "clip.avi")
    found = score(*words)[0]["temporal_consistency"]
    assert found["pairs"] == 8 and found["miou"] > 0.9
