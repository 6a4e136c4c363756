"""Instance files whose encoding nobody names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instance_files import find_coco_json, find_encoding, read_instances
from seglift.labels.instances import encode_cityscapes, encode_coco, encode_kitti

SPACE = BUILTIN_SPACES["cityscapes"]
RAW = np.array([[26, 26, 26, 7], [26, 24, 24, 0]], np.uint8)
NUMBER = np.array([[1, 1, 3, 0], [0, 2, 2, 0]], np.uint16)


@pytest.fixture
def coco(tmp_path):
    """A panoptic PNG in a folder of its own, and its annotation."""
    rgb, segments = encode_coco(RAW, NUMBER, SPACE, "")
    folder = tmp_path / "panoptic_train"
    folder.mkdir()
    Image.fromarray(rgb).save(folder / "a.png")
    return folder / "a.png", {"file_name": "a.png", "segments_info": [segment.to_data() for segment in segments]}


def check(path):
    raw, number = read_instances(path, SPACE)
    assert (raw == RAW).all() and (number == NUMBER).all()


def test_one_channel_is_cityscapes(tmp_path):
    Image.fromarray(encode_cityscapes(RAW, NUMBER, "")).save(tmp_path / "a.png")
    assert find_encoding(tmp_path / "a.png", SPACE) == "cityscapes"
    check(tmp_path / "a.png")


def test_one_channel_is_kitti_where_it_makes_no_sense_otherwise(tmp_path):
    Image.fromarray(encode_kitti(RAW, NUMBER, "")).save(tmp_path / "a.png")
    assert find_encoding(tmp_path / "a.png", SPACE) == "kitti"
    check(tmp_path / "a.png")


@pytest.mark.parametrize(
    "values",
    [
        [7, 0],  # stuff in Cityscapes' encoding
        [7, 26003, 26],
        [7, 7003],  # instances of what is no thing: refused later, as Cityscapes'
        [7, 99],
        [99 * 256, 0],  # a class that there is not
        [7 * 256 + 1, 0],
        [0, 0],
    ],
)
def test_all_else_is_cityscapes(tmp_path, values):
    Image.fromarray(np.array([values], np.uint16)).save(tmp_path / "a.png")
    assert find_encoding(tmp_path / "a.png", SPACE) == "cityscapes"


@pytest.mark.parametrize("place", ["panoptic_train/a.json", "panoptic_train.json", "panoptic_train/any.json"])
@pytest.mark.parametrize("of_set", [True, False])
def test_colour_is_coco_with_its_json_nearby(coco, tmp_path, place, of_set):
    path, annotation = coco
    text = {"annotations": [{"file_name": "b.png", "segments_info": []}, annotation]} if of_set else annotation
    (tmp_path / place).write_text(json.dumps(text))
    assert find_encoding(path, SPACE) == "coco"
    assert find_coco_json(path) == tmp_path / place
    check(path)


def test_the_picture_s_own_json_comes_first(coco, tmp_path):
    path, annotation = coco
    (tmp_path / "panoptic_train.json").write_text("{}")
    path.with_suffix(".json").write_text(json.dumps(annotation))
    check(path)


def test_no_json_or_several(coco):
    path, _ = coco
    with pytest.raises(UserError, match=r"a\.json beside it or as panoptic_train\.json beside its folder"):
        read_instances(path, SPACE)
    for name in "bc":
        (path.parent / f"{name}.json").write_text("{}")
    with pytest.raises(UserError, match="whose JSON is expected"):
        read_instances(path, SPACE)
