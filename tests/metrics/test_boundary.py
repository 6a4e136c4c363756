from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.metrics import boundary as module
from seglift.metrics.boundary import BoundaryF, find_boundary


def slow_boundary(mask):
    height, width = mask.shape
    points = set()
    for y in range(height):
        for x in range(width):
            around = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            around = [(min(v, height - 1), min(u, width - 1)) for v, u in around]
            if any(mask[v, u] != mask[y, x] for v, u in around):
                points.add((y, x))
    return points


def slow_f(prediction, truth, train_id, tolerance):
    """By definition, point against point, on whole images; None where the class is in neither map."""
    valid = truth != 255
    masks = [(prediction == train_id) & valid, truth == train_id]
    if not (masks[0].any() or masks[1].any()):
        return None
    radius = math.ceil(tolerance * math.hypot(*truth.shape))
    found, wanted = (slow_boundary(mask) for mask in masks)
    if not found and not wanted:
        return 1.0
    if not found or not wanted:
        return 0.0

    def share(points, others):
        near = [any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in points]
        return sum(near) / len(near)

    precision, recall = share(found, wanted), share(wanted, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blobs(rng, values, height=18, width=23):
    coarse = rng.choice(values, (height // 4 + 1, width // 4 + 1))
    fine = np.kron(coarse, np.ones((4, 4), int))[:height, :width]
    return np.where(rng.random((height, width)) < 0.02, rng.choice(values, (height, width)), fine).astype(np.uint8)


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tolerance", [0.005, 0.05, 0.12])
def test_equal_to_the_definition(seed, tolerance):
    rng = np.random.default_rng(seed)
    truth = blobs(rng, [0, 1, 2, 255])
    moved = np.roll(truth, rng.integers(-2, 3, 2), (0, 1))
    prediction = np.where(rng.random() < 0.5, moved, blobs(rng, [0, 1, 3, 255]))
    score = BoundaryF.empty(5, tolerance)
    score.update(prediction, truth)
    wanted = [slow_f(prediction, truth, train_id, tolerance) for train_id in range(5)]
    np.testing.assert_allclose(score.per_class(), [math.nan if f is None else f for f in wanted])
    assert score.mean() == pytest.approx(np.mean([f for f in wanted if f is not None]))


@pytest.mark.parametrize(("tolerance", "pixels"), [(0.00088, 3), (0.001875, 5), (0.00375, 9), (module.TOLERANCE, 12)])
def test_tolerances_in_pixels_of_a_street_image(tolerance, pixels):
    """An edge shifted by so many pixels at 2048x1024 is found, by one more it is not."""
    truth = np.zeros((1024, 2048), np.uint8)
    truth[:, :1000] = 1
    for shift, wanted in ((pixels, 1.0), (pixels + 1, 0.0)):
        score = BoundaryF.empty(2, tolerance)
        score.update(np.roll(truth, shift, 1) | truth, truth)
        assert score.per_class().tolist() == [wanted, wanted]


@pytest.mark.parametrize("radius", [1, 2, 5, 13, 24, 25])
def test_both_ways_to_widen_agree(radius, monkeypatch):
    mask = np.random.default_rng(radius).random((70, 90)) < 0.001
    mask[3, 4] = True
    by_disk = module._dilate(mask, radius)
    monkeypatch.setattr(module, "_LARGEST_DISK", 0)
    np.testing.assert_array_equal(by_disk, module._dilate(mask, radius))


@settings(deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_boundary_map_equals_the_definition(mask):
    assert {(int(y), int(x)) for y, x in np.argwhere(find_boundary(mask))} == slow_boundary(mask)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 1, 2, 255])))
def test_perfect_prediction_scores_one(truth):
    score = BoundaryF.empty(3)
    score.update(truth, truth)
    assert np.nan_to_num(score.per_class(), nan=1.0).tolist() == [1.0] * 3


def test_absent_full_missed_and_invented_classes():
    full = np.zeros((6, 6), np.uint8)
    score = BoundaryF.empty(2)
    score.update(full, full)
    assert score.images.tolist() == [1, 0] and score.sums.tolist() == [1.0, 0.0]
    spot = full.copy()
    spot[2:4, 2:4] = 1
    for prediction, truth in ((full, spot), (spot, full)):
        score = BoundaryF.empty(2)
        score.update(prediction, truth)
        assert score.per_class().tolist() == [0.0, 0.0]


def test_void_ground_truth_hides_the_prediction():
    truth = np.zeros((20, 20), np.uint8)
    truth[:, 10:] = 255
    noisy = truth.copy()
    noisy[:, 10:] = np.random.default_rng(0).integers(0, 2, (20, 10))
    score = BoundaryF.empty(2)
    score.update(noisy, truth)
    assert score.images.tolist() == [1, 0] and score.mean() == 1.0


def test_sums_of_parts_merge():
    rng = np.random.default_rng(3)
    pairs = [(blobs(rng, [0, 1, 2]), blobs(rng, [0, 1])) for _ in range(3)]
    whole, merged = BoundaryF.empty(3), BoundaryF.empty(3)
    for prediction, truth in pairs:
        whole.update(prediction, truth)
        part = BoundaryF.empty(3)
        part.update(prediction, truth)
        merged = merged + part
    np.testing.assert_allclose(whole.sums, merged.sums)
    np.testing.assert_array_equal(whole.images, merged.images)
    assert math.isnan(BoundaryF.empty(3).mean())


def test_bad_input_is_refused():
    good = np.zeros((4, 4), np.uint8)
    score = BoundaryF.empty(2)
    for prediction in (good[:2], good.astype(np.int32), good[None]):
        with pytest.raises(ValueError, match="uint8"):
            score.update(prediction, good)
    with pytest.raises(ValueError, match="tolerance"):
        BoundaryF.empty(2, 0.0)
    with pytest.raises(ValueError, match="equal classes"):
        score + BoundaryF.empty(2, 0.01)
    with pytest.raises(ValueError, match=r"1\.\.255"):
        BoundaryF.empty(0)
