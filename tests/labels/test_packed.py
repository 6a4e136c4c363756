from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.labels.packed import find_distinct, pack_rgb

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)


@given(hnp.arrays(st.sampled_from([np.uint8, np.int32]), SHAPES, elements=st.integers(0, 5)))
def test_equal_to_sorting_all_pixels(values):
    distinct = find_distinct(values)
    wanted, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(distinct.values, wanted)
    np.testing.assert_array_equal(distinct.counts, counts)
    np.testing.assert_array_equal(distinct.spread(distinct.values), values)


def test_channels_are_shifted():
    rgb = np.array([[[1, 2, 3], [255, 255, 255]]], np.uint8)
    assert pack_rgb(rgb).tolist() == [[0x010203, 0xFFFFFF]]
    assert pack_rgb(rgb, red=0, green=8, blue=16).tolist() == [[0x030201, 0xFFFFFF]]
