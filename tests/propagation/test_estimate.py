"""Expected mIoU against a slow sum over pixels and windows, cases worked by hand, and its properties."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.propagation import estimate as module
from seglift.propagation.estimate import UNSEEN, WINDOW, estimate_miou

VOID = 255


def halves(height=20, width=40, left=0, right=1):
    labels = np.full((height, width), left, np.uint8)
    labels[:, width // 2 :] = right
    return labels


def constant(labels, value):
    return np.full(labels.shape, value, np.float32)


def random_frame(seed):
    generator = np.random.default_rng(seed)
    coarse = generator.choice(np.uint8([0, 1, 2, VOID]), (4, 6))
    labels = np.kron(coarse, np.ones((8, 8), np.uint8))
    return labels, generator.uniform(0.2, 1.0, labels.shape).astype(np.float32)


def by_the_letter(labels, confidence):
    """The docstring's words, one pixel after the other."""
    height, width = labels.shape
    right, missed = np.zeros(VOID), np.zeros(VOID)
    for y, x in np.ndindex(height, width):
        reach = WINDOW // 2
        window = labels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        shares = np.bincount(window.ravel(), minlength=256)[:VOID] / window.size
        if labels[y, x] != VOID:
            shares[labels[y, x]] = 0.0
            right[labels[y, x]] += confidence[y, x]
        missed += (1 - confidence[y, x]) * shares / (shares.sum() + UNSEEN)
    pixels = np.bincount(labels.ravel(), minlength=256)[:VOID]
    present = right + missed >= 50
    return (right / np.maximum(pixels + missed, 1))[present].mean() if present.any() else None


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 1 and result.failed == 0


@pytest.mark.parametrize("seed", range(4))
def test_is_what_its_derivation_says(seed):
    labels, confidence = random_frame(seed)
    assert estimate_miou(labels, confidence) == pytest.approx(by_the_letter(labels, confidence), abs=1e-5)


def test_two_classes_that_always_see_each_other():
    """Rows of two pixels, one of each class: doubt goes across, but for what is kept for classes unseen."""
    labels = halves(100, 2)
    across = 0.5 / (0.5 + UNSEEN)
    assert estimate_miou(labels, constant(labels, 0.8)) == pytest.approx(0.8 / (1 + 0.2 * across), abs=1e-5)


def test_doubt_that_all_lies_on_one_side_is_the_other_sides_miss():
    labels = halves(100, 2)
    confidence = np.where(labels == 0, 0.8, 1.0).astype(np.float32)
    across = 0.5 / (0.5 + UNSEEN)
    assert estimate_miou(labels, confidence) == pytest.approx((0.8 + 1 / (1 + 0.2 * across)) / 2, abs=1e-5)


def test_in_a_frame_of_one_class_the_doubt_is_of_classes_unseen():
    labels = np.full((30, 30), 3, np.uint8)
    assert estimate_miou(labels, constant(labels, 0.7)) == pytest.approx(0.7, abs=1e-5)


def test_doubt_far_from_other_classes_costs_only_its_own():
    labels = halves(30, 80)
    confidence = constant(labels, 1.0)
    confidence[10:20, 0:10] = 0.0
    assert estimate_miou(labels, confidence) == pytest.approx((1100 / 1200 + 1) / 2, abs=1e-6)


def test_void_is_no_class_but_a_miss_of_those_around():
    labels = halves(100, 2, right=VOID)
    across = 0.5 / (0.5 + UNSEEN)
    assert estimate_miou(labels, constant(labels, 1.0)) == 1.0
    lost = np.where(labels == VOID, 0.0, 1.0).astype(np.float32)
    assert estimate_miou(labels, lost) == pytest.approx(1 / (1 + across), abs=1e-5)


def test_a_class_of_few_pixels_does_not_count():
    labels = halves()
    labels[:7, :7] = 2
    confidence = np.where(labels == 2, 0.5, 1.0).astype(np.float32)
    few = estimate_miou(labels, confidence)
    assert few == pytest.approx((1.0 + 351 / (351 + 24.5)) / 2, abs=0.01)


@pytest.mark.parametrize("value", [0, VOID])
def test_nothing_known_has_no_estimate(value):
    labels = np.full((30, 30), value, np.uint8)
    assert estimate_miou(labels, constant(labels, 0.0)) is None


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_with_confidence_one_it_is_one(seed):
    labels, _ = random_frame(seed)
    expected = None if (labels == VOID).all() else 1.0
    assert estimate_miou(labels, constant(labels, 1.0)) == expected


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_more_confidence_never_lowers_it(seed, share):
    labels, confidence = random_frame(seed)
    more = (confidence + np.float32(share) * (1 - confidence) * (confidence > 0.5)).clip(0, 1)
    low, high = estimate_miou(labels, confidence), estimate_miou(labels, more)
    assert (low is None) == (high is None)
    assert low is None or (0.0 <= low <= high + 1e-6 and high <= 1.0)


def test_large_frames_are_estimated_at_every_second_pixel(monkeypatch):
    small = [np.tile(values, (3, 2)) for values in random_frame(1)]
    large = [np.kron(values, np.ones((2, 2), values.dtype)) for values in small]
    monkeypatch.setattr(module, "LARGE_FRAME", small[0].size)
    assert estimate_miou(*large) == estimate_miou(*small)


def test_sizes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one size"):
        estimate_miou(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.float32))
