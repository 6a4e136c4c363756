"""Calibration against counting pairs of pixels and bins of pixels one by one."""

from __future__ import annotations

import doctest
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.metrics import calibration as module
from seglift.metrics.calibration import Calibration

MAPS = st.integers(0, 40).flatmap(
    lambda size: st.tuples(
        hnp.arrays(np.uint8, size, elements=st.one_of(st.integers(0, 255), st.sampled_from([0, 17, 34, 254, 255]))),
        hnp.arrays(np.uint8, size, elements=st.sampled_from([0, 1, 2, 255])),
        hnp.arrays(np.uint8, size, elements=st.sampled_from([0, 1, 255])),
    )
)


def counted(*maps):
    calibration = Calibration.empty()
    calibration.update(*maps)
    return calibration


def listed(confidence, prediction, truth):
    """Confidence 0..1 as exact fractions, of the wrong and of the right pixels."""
    every = list(zip(confidence.tolist(), prediction.tolist(), truth.tolist(), strict=True))
    wrong = [Fraction(c, 255) for c, p, t in every if t != 255 and p != t]
    return wrong, [Fraction(c, 255) for c, p, t in every if t != 255 and p == t]


def same(found, expected):
    assert math.isnan(found) if expected is None else found == pytest.approx(float(expected), abs=1e-12)


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@given(MAPS)
def test_auroc_counts_pairs(maps):
    wrong, right = listed(*maps)
    pairs = [(a < b) + Fraction(a == b, 2) for a in wrong for b in right]
    same(counted(*maps).auroc(), sum(pairs) / Fraction(len(pairs)) if pairs else None)


@given(MAPS, st.sampled_from([1, 2, 7, 10, 15, 255, 300]))
def test_calibration_error_averages_bins(maps, bins):
    wrong, right = listed(*maps)
    pixels = [(c, 0) for c in wrong] + [(c, 1) for c in right]
    total = Fraction(0)
    for m in range(1, bins + 1):
        inside = [
            (c, hit) for c, hit in pixels if Fraction(m - 1, bins) < c <= Fraction(m, bins) or (m == 1 and c == 0)
        ]
        total += abs(sum((c - hit for c, hit in inside), Fraction(0)))
    same(counted(*maps).calibration_error(bins), total / len(pixels) if pixels else None)


@given(MAPS)
def test_accuracy_and_mean(maps):
    wrong, right = listed(*maps)
    calibration = counted(*maps)
    count = len(wrong) + len(right)
    assert calibration.pixels == count
    same(calibration.accuracy(), Fraction(len(right), count) if count else None)
    same(calibration.mean(), sum(wrong + right, Fraction(0)) / count if count else None)


@given(st.lists(MAPS, max_size=4))
def test_merging_equals_one_pass(parts):
    merged = sum((counted(*maps) for maps in parts), Calibration.empty())
    whole = counted(*(np.concatenate([maps[i] for maps in parts] or [np.zeros(0, np.uint8)]) for i in range(3)))
    np.testing.assert_array_equal(merged.counts, whole.counts)


def test_nothing_wrong_or_nothing_right():
    ones = np.ones((3, 4), np.uint8)
    perfect, hopeless = counted(255 * ones, ones, ones), counted(0 * ones, 0 * ones, ones)
    for calibration, accuracy in ((perfect, 1.0), (hopeless, 0.0)):
        assert math.isnan(calibration.auroc()) and calibration.calibration_error() == 0.0
        assert calibration.accuracy() == calibration.mean() == accuracy
    assert (perfect + hopeless).auroc() == 1.0


def test_void():
    """Ground truth that is void is left out; void predicted elsewhere is wrong."""
    row = np.array([0, 255, 255], np.uint8)
    calibration = counted(np.array([9, 3, 200], np.uint8), np.array([0, 0, 255], np.uint8), row)
    assert calibration.counts.sum() == 1 and calibration.counts[1, 9] == 1
    calibration = counted(np.array([9, 3, 200], np.uint8), row, np.zeros(3, np.uint8))
    assert calibration.counts[0].nonzero()[0].tolist() == [3, 200]


def test_more_pixels_than_64_bits_of_pairs():
    counts = np.zeros((2, 256), np.int64)
    counts[0, [10, 20]], counts[1, [10, 30]] = 3 << 40, 3 << 40
    assert Calibration(counts).auroc() == 0.625


def test_bad_input_is_refused():
    good = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        counted(good, good, good[:1])
    with pytest.raises(ValueError, match="float32"):
        counted(good.astype(np.float32), good, good)
    with pytest.raises(ValueError, match="one bin"):
        Calibration.empty().calibration_error(0)
    with pytest.raises(ValueError, match=r"\[2, 256\]"):
        Calibration(np.zeros((2, 255), np.int64))
