from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import (
    count_disagreement,
    decode_cityscapes,
    decode_coco,
    decode_kitti,
    encode_cityscapes,
    encode_coco,
    encode_kitti,
    read_cityscapes,
    read_coco,
    read_kitti,
)
from seglift.labels.writing import write_png

CITYSCAPES, BINARY, MAPILLARY = (BUILTIN_SPACES[name] for name in ("cityscapes", "binary", "mapillary"))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)


@st.composite
def parts(draw, space):
    shape = draw(SHAPES)
    raw = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from(space.ids)))
    number = draw(hnp.arrays(np.uint16, shape, elements=st.sampled_from([0, 1, 2, 1000])))
    things = [entry.id for entry in space.classes if entry.thing]
    return raw, np.where(np.isin(raw, things), number, 0).astype(np.uint16)


@given(parts(CITYSCAPES))
def test_cityscapes_round_trip(given_parts):
    raw, number = given_parts
    values = encode_cityscapes(raw, number, "a.png")
    for y, x in np.ndindex(raw.shape):
        n = int(number[y, x])
        assert values[y, x] == (raw[y, x] if n == 0 else int(raw[y, x]) * 1000 + n - 1)
    for found, wanted in zip(decode_cityscapes(values, CITYSCAPES, "a.png"), given_parts, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_cityscapes_values_by_hand():
    values = np.array([[7, 26, 26000], [26001, 33999, 0]], np.uint16)
    raw, number = decode_cityscapes(values, CITYSCAPES, "a.png")
    assert raw.tolist() == [[7, 26, 26], [26, 33, 0]] and number.tolist() == [[0, 0, 1], [2, 1000, 0]]
    assert (raw.dtype, number.dtype) == (np.uint8, np.uint16)
    np.testing.assert_array_equal(encode_cityscapes(raw, number, "a.png"), values)


def test_many_instances_are_split_as_pixel_by_pixel():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((60, 80)) < 0.5, rng.choice([0, 7, 26]), 24000 + rng.integers(0, 1000, (60, 80)))
    raw, number = decode_cityscapes(values.astype(np.uint16), CITYSCAPES, "a.png")
    np.testing.assert_array_equal(raw, np.where(values >= 1000, values // 1000, values))
    np.testing.assert_array_equal(number, np.where(values >= 1000, values % 1000 + 1, 0))
    assert (raw.dtype, number.dtype) == (np.uint8, np.uint16)


def test_kitti_values_by_hand(tmp_path):
    values = np.array([[7 * 256, 26 * 256 + 1, 26 * 256 + 255], [33 * 256 + 2, 0, 24 * 256]], np.uint16)
    raw, number = decode_kitti(values, CITYSCAPES, "a.png")
    assert raw.tolist() == [[7, 26, 26], [33, 0, 24]] and number.tolist() == [[0, 1, 255], [2, 0, 0]]
    assert (raw.dtype, number.dtype) == (np.uint8, np.uint16)
    write_png(tmp_path / "a.png", values)
    for found, wanted in zip(read_kitti(tmp_path / "a.png", CITYSCAPES), (raw, number), strict=True):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(UserError, match=r"a\.png.*\(1 px\)"):
        decode_kitti(np.array([[99 * 256, 0]], np.uint16), CITYSCAPES, "a.png")
    assert (encode_kitti(raw, number, "") == values).all()
    with pytest.raises(UserError, match="instance number 256, KITTI's encoding holds 255"):
        encode_kitti(raw, np.full_like(number, 256), "a.png")
    write_png(tmp_path / "b.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match=r"b\.png is .*one channel"):
        read_kitti(tmp_path / "b.png", CITYSCAPES)


@pytest.mark.parametrize("value", [34, 300, 999, 34001, 65535])
def test_values_of_no_class_are_refused(value):
    with pytest.raises(UserError, match=r"a\.png.*\(1 px\)"):
        decode_cityscapes(np.array([[7, value]], np.uint16), CITYSCAPES, "a.png")


def test_limits_of_cityscapes_encoding():
    with pytest.raises(UserError, match="1001"):
        encode_cityscapes(np.array([[26]], np.uint8), np.array([[1001]], np.uint16), "a.png")
    with pytest.raises(UserError, match="class id 66"):
        encode_cityscapes(np.array([[66]], np.uint8), np.array([[1]], np.uint16), "a.png")
    assert encode_cityscapes(np.array([[64]], np.uint8), np.array([[1000]], np.uint16), "a.png")[0, 0] == 64999


def test_read_cityscapes_file(tmp_path):
    write_png(tmp_path / "a.png", np.array([[24003, 7]], np.uint16))
    raw, number = read_cityscapes(tmp_path / "a.png", CITYSCAPES)
    assert (raw.tolist(), number.tolist()) == ([[24, 7]], [[4, 0]])
    write_png(tmp_path / "b.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="one channel"):
        read_cityscapes(tmp_path / "b.png", CITYSCAPES)


def test_disagreement_is_counted():
    raw = np.array([[7, 8], [26, 0]], np.uint8)
    assert count_disagreement(raw, raw.copy()) == 0
    assert count_disagreement(raw, np.array([[7, 7], [26, 1]], np.uint8)) == 2
    with pytest.raises(ValueError, match="one size"):
        count_disagreement(raw, raw[:1])


@given(st.sampled_from([CITYSCAPES, BINARY, MAPILLARY]).flatmap(lambda space: st.tuples(st.just(space), parts(space))))
def test_coco_round_trip(case):
    space, (raw, number) = case
    rgb, segments = encode_coco(raw, number, space, "a.png")
    rows = [segment.to_data() for segment in segments]
    assert json.loads(json.dumps(rows)) == rows
    for found, wanted in zip(decode_coco(rgb, rows, space, "a.png"), (raw, number), strict=True):
        np.testing.assert_array_equal(found, wanted)
    ids = rgb.astype(int) @ [1, 256, 65536]
    assert {row["id"] for row in rows} == set(ids.ravel().tolist()) - {0}
    for row in rows:
        ys, xs = np.nonzero(ids == row["id"])
        box = [xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1]
        assert (row["area"], row["bbox"]) == (len(ys), box)


def test_crowds_stuff_and_void():
    raw = np.array([[26, 26, 7, 0]], np.uint8)
    rgb, segments = encode_coco(raw, np.array([[0, 5, 0, 0]], np.uint16), CITYSCAPES, "a.png")
    assert [(s.category_id, s.iscrowd) for s in segments] == [(7, 0), (26, 1), (26, 0)]
    assert rgb[0, 3].tolist() == [0, 0, 0]


def test_foreign_coco_is_numbered_within_a_class():
    ids = np.array([[300, 70000, 26001, 9, 0]])
    rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)
    rows = [
        {"id": 70000, "category_id": 26},
        {"id": 300, "category_id": 26, "iscrowd": 0},
        {"id": 26001, "category_id": 26, "iscrowd": 1},
        {"id": 9, "category_id": 21},
    ]
    raw, number = decode_coco(rgb, rows, CITYSCAPES, "a.png")
    assert (raw.tolist(), number.tolist()) == ([[26, 26, 26, 21, 0]], [[1, 2, 0, 0, 0]])


def test_bad_coco_is_explained():
    rgb = np.array([[[5, 0, 0], [6, 0, 0], [6, 0, 0]]], np.uint8)
    with pytest.raises(UserError, match=r"6 \(2 px\)"):
        decode_coco(rgb, [{"id": 5, "category_id": 7}], CITYSCAPES, "a.png")
    with pytest.raises(UserError, match="category_id 99"):
        decode_coco(rgb, [{"id": 5, "category_id": 99}], CITYSCAPES, "a.png")
    with pytest.raises(UserError, match="twice"):
        decode_coco(rgb, [{"id": 5, "category_id": 7}] * 2, CITYSCAPES, "a.png")
    with pytest.raises(UserError, match="integer id"):
        decode_coco(rgb, [{"id": 5}], CITYSCAPES, "a.png")
    with pytest.raises(UserError, match=r"0 \(1 px\)"):
        decode_coco(np.zeros((1, 1, 3), np.uint8), [], BINARY, "a.png")


def test_read_coco_files(tmp_path):
    raw, number = np.array([[26, 7]], np.uint8), np.array([[3, 0]], np.uint16)
    rgb, segments = encode_coco(raw, number, CITYSCAPES, "a.png")
    write_png(tmp_path / "a.png", rgb)
    rows = [segment.to_data() for segment in segments]
    whole = {
        "annotations": [{"file_name": "b.png", "segments_info": []}, {"file_name": "a.png", "segments_info": rows}]
    }
    for data in (whole, {"segments_info": rows}):
        (tmp_path / "a.json").write_text(json.dumps(data))
        found = read_coco(tmp_path / "a.png", tmp_path / "a.json", CITYSCAPES)
        assert (found[0].tolist(), found[1].tolist()) == (raw.tolist(), number.tolist())
    for data in ({"annotations": []}, [], {"annotations": [{"file_name": "a.png"}]}, {"annotations": [1]}):
        (tmp_path / "a.json").write_text(json.dumps(data))
        with pytest.raises(UserError, match=r"a\.json"):
            read_coco(tmp_path / "a.png", tmp_path / "a.json", CITYSCAPES)
