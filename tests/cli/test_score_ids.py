"""``seglift score`` of instances through one clip: id switches, and ground truth in a dataset's layout."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import encode_coco

SPACE = BUILTIN_SPACES["cityscapes"]
IDS = (4, 4, 5, 5, 4)
"""Predicted number of the one car, frame by frame."""


def street(index, number):
    values = np.full((16, 24), 7, np.uint16)
    values[4:10, index : index + 8] = 26000 + number - 1
    return values


def labels(values):
    return np.where(values >= 1000, values // 1000, values).astype(np.uint8)


@pytest.fixture
def clip(tmp_path, save):
    """A dataset folder with exact instances, and predictions of them."""
    for index, number in enumerate(IDS):
        for root, values in (("data", street(index, 1)), ("out", street(index, number))):
            save(tmp_path / root / f"labels/f{index}.png", labels(values))
            save(tmp_path / root / f"instances/f{index}.png", values)
        save(tmp_path / f"keys/f{index}.png", labels(street(index, 1))) if index == 2 else None
    return tmp_path


@pytest.fixture
def score(run, clip):
    def score(*more):
        words = ("score", clip / "out", clip / "data/labels", "--space", "cityscapes", "--json", clip / "scores.json")
        ran = run(*words, *more).done()
        return json.loads((clip / "scores.json").read_text()), ran

    return score


def notes(clip):
    lines = (json.dumps({"stem": f"f{index}", "provenance": {"human": 0.0}}) + "\n" for index in range(len(IDS)))
    (clip / "out/frames.jsonl").write_text("".join(lines))


def test_frames_of_a_clip(clip, score):
    notes(clip)
    found, ran = score()
    assert found["id_switches"] == {"count": 2, "objects": 1, "matches": 5, "frames": 5, "by_class": {"car": 2}}
    assert found["panoptic"]["pq"] == 1.0
    assert "id switches: 2 (1 object, matched 5 times in 5 frames)" in ran.out


def test_keyframes_say_that_it_is_a_clip_and_are_left_out(clip, score):
    found, _ = score("--keyframes", clip / "keys")
    assert found["id_switches"]["count"] == 2 and found["id_switches"]["frames"] == 4


def test_single_pictures_have_no_ids_to_compare(score):
    found, ran = score()
    assert "panoptic" in found and "id_switches" not in found and "id switches" not in ran.out


def test_several_clips_are_not_compared(clip, score):
    for root in ("data", "out"):
        for kind in ("labels", "instances"):
            for index in range(len(IDS)):
                path = clip / root / kind / f"f{index}.png"
                (path.parent / f"clip{index % 2}").mkdir(exist_ok=True)
                path.rename(path.parent / f"clip{index % 2}" / path.name)
    found, _ = score()
    assert found["panoptic"]["pq"] == 1.0 and "id_switches" not in found


def test_coco_predictions(clip, save, score):
    notes(clip)
    expected, _ = score()
    annotations = []
    for index, number in enumerate(IDS):
        values = street(index, number)
        numbers = np.where(values >= 1000, values % 1000 + 1, 0).astype(np.uint16)
        rgb, segments = encode_coco(labels(values), numbers, SPACE, "")
        save(clip / f"out/instances/f{index}.png", rgb)
        annotations.append({"file_name": f"f{index}.png", "segments_info": [one.to_data() for one in segments]})
    (clip / "out/instances.json").write_text(json.dumps({"annotations": annotations}))
    assert score()[0] == expected
