from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.datasets.class_centroids import find_centroids, summarize, tile_starts


@st.composite
def labels(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 23)), draw(st.integers(1, 23))
    values = draw(st.lists(st.sampled_from([0, 1, 2, 4, 255]), min_size=1, max_size=5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    block = draw(st.integers(1, 5))
    small = generator.choice(values, (height // block + 1, width // block + 1)).astype(np.uint8)
    return np.kron(small, np.ones((block, block), np.uint8))[:height, :width]


@given(labels(), st.integers(1, 30))
@settings(max_examples=120, deadline=None)
def test_records_are_those_of_a_plain_loop_over_pixels(label: np.ndarray, tile: int) -> None:
    found = summarize(label, tile, 5)
    side = min(tile, *label.shape)
    expected = []
    for top in tile_starts(label.shape[0], side):
        for left in tile_starts(label.shape[1], side):
            for train_id in range(5):
                pixels = [
                    (row, column)
                    for row in range(top, top + side)
                    for column in range(left, left + side)
                    if label[row, column] == train_id
                ]
                if pixels:
                    mean = tuple(sum(pixel[axis] for pixel in pixels) // len(pixels) for axis in (0, 1))
                    expected.append((*mean, train_id))
    assert [(*point, train_id) for point, train_id in zip(found.points.tolist(), found.train_ids, strict=True)] == (
        expected
    )
    assert found.pixels.tolist() == [int((label == train_id).sum()) for train_id in range(5)]


@given(st.integers(1, 200), st.integers(1, 200))
def test_tiles_cover_everything_and_stay_inside(length: int, side: int) -> None:
    side = min(side, length)
    starts = tile_starts(length, side)
    assert starts[0] == 0
    assert starts[-1] == length - side
    assert all(0 < second - first <= side for first, second in itertools.pairwise(starts))
    assert len(starts) == -(-length // side)


def test_the_last_tile_is_shifted_back_inside() -> None:
    assert tile_starts(375, 300) == [0, 75]
    assert tile_starts(1242, 300) == [0, 300, 600, 900, 942]
    assert tile_starts(2048, 1024) == [0, 1024]


def test_a_ring_has_its_centroid_off_the_class() -> None:
    label = np.zeros((9, 9), np.uint8)
    label[1:8, 1:8] = 3
    label[2:7, 2:7] = 0
    found, points = find_centroids(label, 4)
    assert found.tolist() == [81 - 24, 0, 0, 24]
    assert points[1].tolist() == [4, 4]
    assert label[4, 4] == 0


def test_void_alone_gives_no_record() -> None:
    found = summarize(np.full((8, 8), 255, np.uint8), 4, 3)
    assert found.points.shape == (0, 2)
    assert found.points.dtype == np.int32
    assert found.train_ids.shape == (0,)
    assert found.pixels.tolist() == [0, 0, 0]


def test_a_label_that_is_not_contiguous_counts_the_same() -> None:
    label = np.random.default_rng(0).integers(0, 3, (30, 40)).astype(np.uint8)
    turned = summarize(label.T, 16, 3)
    plain = summarize(np.ascontiguousarray(label.T), 16, 3)
    assert np.array_equal(turned.points, plain.points)


def test_foreign_train_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="below 3 or 255 expected, got 7"):
        summarize(np.full((4, 4), 7, np.uint8), 4, 3)
