"""Temporal consistency against sets of pixels."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.metrics import temporal_consistency as module
from seglift.metrics.temporal_consistency import TemporalConsistency

LABELS = hnp.arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, 255]))
PAIR = st.tuples(LABELS, LABELS, hnp.arrays(np.bool_, (5, 6)))


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 3 and result.failed == 0


def added(pairs, num_classes=4):
    parts = (TemporalConsistency.of(*pair, num_classes) for pair in pairs)
    return sum(parts, TemporalConsistency.empty(num_classes))


@given(st.lists(PAIR, max_size=4))
def test_equal_to_set_arithmetic(pairs):
    found = added(pairs)
    carried, current, visible = (np.stack([pair[i] for pair in pairs] or [np.zeros((0, 0))]) for i in range(3))
    kept = visible.astype(bool) & ((carried != 255) | (current != 255))
    ious = []
    for c in range(4):
        a, b = (carried == c) & kept, (current == c) & kept
        ious.append((a & b).sum() / (a | b).sum() if (a | b).any() else math.nan)
    assert found.pairs == len(pairs)
    np.testing.assert_allclose(found.iou(), ious)
    if kept.any():
        assert found.miou() == pytest.approx(np.nanmean(ious))
        assert found.agreement() == pytest.approx((carried == current)[kept].mean())
    else:
        assert math.isnan(found.miou()) and math.isnan(found.agreement())


@given(PAIR)
def test_both_ways_alike(pair):
    """Which of the two sides is called carried does not matter."""
    one, other = added([pair]), added([(pair[1], pair[0], pair[2])])
    np.testing.assert_allclose(one.iou(), other.iou())
    np.testing.assert_equal(one.agreement(), other.agreement())


def test_255_classes():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = added([(values, values, np.ones((16, 16), bool))], 255)
    assert found.miou() == found.agreement() == 1.0


def test_bad_input_is_refused():
    good, seen = np.zeros((2, 2), np.uint8), np.ones((2, 2), bool)
    for bad in ((good[:1], good, seen), (good, good.astype(int), seen), (good, good, seen[:1])):
        with pytest.raises(ValueError, match="visible's shape"):
            added([bad])
    with pytest.raises(ValueError, match=r"0\.\.3 or 255"):
        added([(good + 4, good, seen)])
    with pytest.raises(ValueError, match="cannot add"):
        TemporalConsistency.empty(2) + TemporalConsistency.empty(3)
    for number in (0, 256):
        with pytest.raises(ValueError, match=r"1\.\.255"):
            TemporalConsistency.empty(number)
    with pytest.raises(ValueError, match=r"C \+ 1"):
        TemporalConsistency(np.zeros((3, 4), np.int64))
