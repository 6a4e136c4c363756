"""Objects of one keyframe: what its codes are, and what is no object."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.video.clip import Keyframe
from seglift.workflows.label.keyframe_objects import check_together, read_keyframe_objects

SPACE = BUILTIN_SPACES["cityscapes"]
RAW = np.array([[26, 26, 26, 24, 7], [26, 26, 24, 24, 29]], np.uint8)
VALUES = np.array([[26009, 26000, 26, 24005, 7], [26009, 26009, 24005, 24005, 29001]], np.uint16)


@pytest.fixture
def keyframe(tmp_path):
    def keyframe(values, index=0):
        path = tmp_path / f"{index}_instanceIds.png"
        Image.fromarray(values).save(path)
        return Keyframe(index, tmp_path / f"{index}.png", path)

    return keyframe


def test_codes(keyframe):
    labels = SPACE.encode(RAW, "")
    found = read_keyframe_objects(keyframe(VALUES), labels, SPACE)
    assert found.objects == ((24, 6), (26, 0), (26, 1), (26, 10), (29, 2))
    assert found.classes.tolist() == [-1, 24, 26, 26, 26, 29] and found.encoding == "cityscapes"
    codes = found.read_codes(labels, SPACE)
    assert codes.dtype == np.int16 and codes.tolist() == [[4, 3, 2, 1, 0], [4, 4, 1, 1, 5]]


def test_a_keyframe_without_instances(tmp_path):
    assert read_keyframe_objects(Keyframe(0, tmp_path / "a.png"), SPACE.encode(RAW, ""), SPACE) is None


def test_the_label_says_which_kind_of_void(keyframe):
    raw = RAW.copy()
    raw[1, 4] = 1
    found = read_keyframe_objects(keyframe(VALUES), SPACE.encode(raw, ""), SPACE)
    assert (29, 2) not in found.objects
    raw[1, 4] = 30
    found = read_keyframe_objects(keyframe(VALUES), SPACE.encode(raw, ""), SPACE)
    assert found.objects[-1] == (30, 0)  # the label's class, of no single object


def test_a_file_that_changes_meanwhile(keyframe):
    labels = SPACE.encode(RAW, "")
    found = read_keyframe_objects(keyframe(VALUES), labels, SPACE)
    keyframe(np.where(VALUES == 26000, np.uint16(26003), VALUES))
    with pytest.raises(UserError, match="was changed while it was in use"):
        found.read_codes(labels, SPACE)


def test_the_fingerprint_is_that_of_the_content(keyframe):
    labels = SPACE.encode(RAW, "")
    first, second, third = (
        read_keyframe_objects(keyframe(values, index), labels, SPACE).fingerprint
        for index, values in enumerate((VALUES, VALUES, np.where(VALUES == 26000, np.uint16(26003), VALUES)))
    )
    assert first == second != third


def test_all_or_none(keyframe, tmp_path):
    labels = SPACE.encode(RAW, "")
    with_one = keyframe(VALUES)
    objects = {0: read_keyframe_objects(with_one, labels, SPACE)}
    check_together(objects, (with_one,))
    check_together({}, (with_one,))
    with pytest.raises(UserError, match=r"1\.png has no instance file"):
        check_together(objects, (with_one, Keyframe(1, tmp_path / "1.png")))
