from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.labels.packed import find_distinct, find_runs, number_distinct, pack_rgb

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)


@given(hnp.arrays(st.sampled_from([np.uint8, np.int32]), SHAPES, elements=st.integers(0, 5)))
def test_equal_to_sorting_all_pixels(values):
    distinct = find_distinct(values)
    wanted, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(distinct.values, wanted)
    np.testing.assert_array_equal(distinct.counts, counts)
    np.testing.assert_array_equal(distinct.spread(distinct.values), values)


@given(hnp.arrays(np.int64, st.integers(0, 20), elements=st.sampled_from([0, 1, 7, 65535, 1 << 20, 1 << 40, -3])))
def test_numbered_as_by_sorting(values):
    found, position = number_distinct(values)
    wanted, expected = np.unique(values, return_inverse=True)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(position, expected)


def test_runs_of_several_maps():
    first, second = np.array([[1, 1, 1], [1, 2, 2]], np.uint8), np.array([[5, 5, 6], [6, 6, 6]], np.uint16)
    lengths, values = find_runs([first, second])
    assert (lengths.tolist(), [part.tolist() for part in values]) == ([2, 2, 2], [[1, 1, 2], [5, 6, 6]])
    lengths, values = find_runs([first[:0]])
    assert (lengths.size, values[0].size) == (0, 0)


def test_runs_of_large_maps():
    values = np.arange(700).repeat(900).reshape(700, 900)
    lengths, (found,) = find_runs([values])
    np.testing.assert_array_equal(np.repeat(found, lengths), values.ravel())
    np.testing.assert_array_equal(find_distinct(values).counts, np.full(700, 900))


def test_channels_are_shifted():
    rgb = np.array([[[1, 2, 3], [255, 255, 255]]], np.uint8)
    assert pack_rgb(rgb).tolist() == [[0x010203, 0xFFFFFF]]
    assert pack_rgb(rgb, red_lowest=True).tolist() == [[0x030201, 0xFFFFFF]]
