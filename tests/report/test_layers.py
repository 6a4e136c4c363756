from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space
from seglift.report import layers


def opened(uri: str, kind: str) -> Image.Image:
    head, data = uri.split(",")
    assert head == f"data:{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("name", ["cityscapes", "mapillary", "binary"])
def test_distinct_colors_differ_little_and_are_unique(name):
    colors = [entry.color for entry in get_space(name).classes]
    distinct = layers.distinct_colors(colors)
    assert len(set(distinct)) == len(colors)
    for before, after in zip(colors, distinct, strict=True):
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 7


def test_distinct_colors_of_256_equal_ones():
    for color in ((0, 0, 0), (255, 255, 255), (128, 127, 3)):
        distinct = layers.distinct_colors([color] * 256)
        assert len(set(distinct)) == 256
        assert all(0 <= channel <= 255 for found in distinct for channel in found)
    assert layers.distinct_colors([(1, 2, 3), (4, 5, 6)]) == ((1, 2, 3), (4, 5, 6))


def test_labels_are_exact_at_full_size():
    values = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) % 34
    colors = layers.distinct_colors([entry.color for entry in get_space("cityscapes").classes])
    picture = opened(layers.labels_uri(values, colors, (12, 16)), "image/png")
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.array(picture), values)
    np.testing.assert_array_equal(np.array(picture.convert("RGB")), np.array(colors, np.uint8)[values])


def test_labels_are_reduced_without_mixing():
    values = np.where(np.arange(64) < 32, 3, 7).astype(np.uint8)[None].repeat(40, 0)
    picture = np.array(opened(layers.labels_uri(values, [(n, n, n) for n in range(12)], (10, 16)), "image/png"))
    np.testing.assert_array_equal(picture, np.where(np.arange(16) < 8, 3, 7)[None].repeat(10, 0))


def test_confidence_steps():
    values = np.array([[0, 15, 16, 127, 128, 239, 240, 255]], np.uint8)
    picture = np.array(opened(layers.confidence_uri(values, (1, 8)), "image/png"))
    np.testing.assert_array_equal(picture, [[0, 0, 1, 7, 8, 14, 15, 15]])


def test_confidence_darkens_steadily():
    lightness = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in layers.confidence_colors()]
    assert len(lightness) == layers.CONFIDENCE_STEPS
    assert lightness == sorted(lightness, reverse=True)
    assert lightness[0] > 200
    assert lightness[-1] < 30


def test_errors_are_by_train_id_and_leave_void_out():
    space = get_space("camvid11")
    labels = np.array([[0, 1, 2, 11, 3]], np.uint8)
    truth = np.array([[0, 2, 11, 4, 3]], np.uint8)
    picture = opened(layers.errors_uri(labels, truth, space, (1, 5)), "image/png")
    np.testing.assert_array_equal(np.array(picture), [[0, 1, 2, 1, 0]])
    np.testing.assert_array_equal(np.array(picture.convert("RGBA"))[0, :, 3], [0, 255, 255, 255, 0])


def test_image_keeps_its_colours():
    image = np.zeros((64, 96, 3), np.uint8)
    image[...] = (200, 40, 90)
    picture = opened(layers.image_uri(image, (32, 48)), "image/jpeg")
    assert picture.size == (48, 32)
    assert np.abs(np.array(picture).astype(int) - (200, 40, 90)).max() <= 4


@pytest.mark.parametrize(
    ("size", "small"),
    [((1024, 2048), (320, 640)), ((2048, 1024), (640, 320)), ((360, 480), (360, 480)), ((1, 5000), (1, 640))],
)
def test_thumbnail_size(size, small):
    assert layers.thumbnail_size(*size, 640) == small


def test_an_object_has_one_colour_within_a_line_and_none_is_clear():
    objects = np.zeros((12, 16), np.int32)
    objects[2:10, 1:7] = 26 << 16 | 1
    objects[2:10, 7:15] = 26 << 16 | 2
    uri = layers.objects_uri(objects, (12, 16))
    picture = np.array(opened(uri, "image/png").convert("RGBA"))
    assert not picture[objects == 0, 3].any() and picture[objects > 0, 3].all()
    assert (picture[2:10, (1, 6, 7, 14), :3] == 0).all()
    first, second = (
        np.unique(picture[3:9, columns, :3].reshape(-1, 3), axis=0) for columns in (slice(2, 6), slice(8, 14))
    )
    assert len(first) == len(second) == 1 and np.abs(first.astype(int) - second).sum() > 100


def test_colours_of_objects_differ():
    colors = np.array(layers.object_colors())
    assert len(colors) == layers.OBJECT_COLORS and (colors.max(1) > 60).all()
    following = np.abs(np.diff(colors.astype(int), axis=0)).sum(1)
    assert following.min() > 100 and len(np.unique(colors, axis=0)) == len(colors)
