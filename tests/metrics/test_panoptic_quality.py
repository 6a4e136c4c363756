from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelClass, LabelSpace
from seglift.metrics import panoptic_quality as module
from seglift.metrics.panoptic_quality import PanopticQuality, Quality

CITYSCAPES, GTA5 = BUILTIN_SPACES["cityscapes"], BUILTIN_SPACES["gta5"]
ROAD, PERSON, CAR = 0, 11, 13


def score(*images, space=CITYSCAPES):
    """Of (prediction, truth), each of raw ids and instance numbers."""
    result = PanopticQuality.empty(space)
    for prediction, truth in images:
        result.update(prediction, truth)
    return result


def counts(result, train_id):
    return (result.hits[train_id], result.false[train_id], result.missed[train_id])


def same(found, expected):
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def compare(found, expected):
    classes, means = expected
    assert list(classes) == list(CITYSCAPES.train_names)
    same(found.iou, [row[0] for row in classes.values()])
    assert list(zip(found.hits, found.false, found.missed, strict=True)) == [row[1:] for row in classes.values()]
    for things, mean in zip((None, True, False), means, strict=True):
        same(found.mean(things), 3 * (math.nan,) if mean is None else mean)


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_the_official_evaluation(seed, official, street):
    rng = np.random.default_rng(seed)
    files = official([street(rng) for _ in range(4)])
    found = score(*files.read())
    assert found.hits.sum() > 0 and found.false.sum() > 0
    compare(found, files.panoptic())


def test_hard_cases_equal_the_official_evaluation(official, hard_cases):
    for name, case in hard_cases.items():
        files = official([case])
        compare(score(*files.read()), files.panoptic()), name
    files = official(list(hard_cases.values()))
    compare(score(*files.read()), files.panoptic())


def test_matches_by_hand(panoptic):
    """10 pixels: a car of 4 found with 3 + 1, a person of 2 found whole, road of 4 found with 3 of 4."""
    truth = panoptic([[26, 26, 26, 26, 24, 24, 7, 7, 7, 7]], [[1, 1, 1, 1, 1, 1, 0, 0, 0, 0]])
    found = panoptic([[7, 26, 26, 26, 24, 24, 26, 7, 7, 7]], [[0, 9, 9, 9, 3, 3, 9, 0, 0, 0]])
    result = score((found, truth))
    assert [counts(result, n) for n in (CAR, PERSON, ROAD)] == 3 * [(1, 0, 0)]
    by_class = result.by_class()
    assert by_class["car"] == by_class["road"] == pytest.approx((0.6, 0.6, 1.0))
    assert by_class["person"] == (1.0, 1.0, 1.0) and math.isnan(by_class["bus"].pq)
    assert result.mean(things=True) == pytest.approx((0.8, 0.8, 1.0))
    assert result.mean(things=False) == pytest.approx((0.6, 0.6, 1.0))
    assert result.mean() == pytest.approx((2.2 / 3, 2.2 / 3, 1.0))


def test_an_iou_of_one_half_is_no_match(panoptic):
    truth = panoptic([[26, 26, 26, 26]], [[1, 1, 2, 2]])
    result = score((panoptic([[26, 7, 26, 26]], [[1, 0, 2, 2]]), truth))
    assert counts(result, CAR) == (1, 1, 1) and counts(result, ROAD) == (0, 1, 0)
    assert result.by_class()["car"] == (0.5, 1.0, 0.5) and result.by_class()["road"] == Quality(0.0, 0.0, 0.0)


def test_void_is_no_part_of_the_union(panoptic):
    truth = panoptic([[26, 26, 0, 0, 7, 7]], [[1, 1, 0, 0, 0, 0]])
    result = score((panoptic([[26, 26, 26, 26, 7, 7]], [[1, 1, 1, 1, 0, 0]]), truth))
    assert counts(result, CAR) == (1, 0, 0) and result.iou[CAR] == 1.0


def test_half_on_void_is_false_and_more_is_not(panoptic):
    truth = panoptic([[0, 0, 29, 7, 7, 7]], [[0, 0, 1, 0, 0, 0]])
    assert counts(score((panoptic([[26, 26, 7, 26, 26, 7]], 1), truth)), CAR) == (0, 1, 0)
    assert counts(score((panoptic([[26, 26, 26, 26, 26, 7]], 1), truth)), CAR) == (0, 0, 0)


def test_crowds(panoptic):
    """Nobody's miss; a car on a crowd of cars is excused, a person there is not."""
    truth = panoptic([[26, 26, 26, 7]], 0)
    result = score((panoptic([[26, 26, 24, 7]], [[1, 2, 3, 0]]), truth))
    assert counts(result, CAR) == (0, 0, 0) and counts(result, PERSON) == (0, 1, 0)
    assert math.isnan(result.by_class()["car"].pq) and result.by_class()["road"].pq == 1.0


def test_a_predicted_thing_without_number_is_one_segment(panoptic):
    truth = panoptic([[26, 26, 26, 26]], [[1, 1, 1, 2]])
    result = score((panoptic([[26, 26, 26, 26]], 0), truth))
    assert counts(result, CAR) == (1, 0, 1) and result.iou[CAR] == 0.75


def test_numbers_of_stuff_are_irrelevant(panoptic):
    truth, found = panoptic([[7, 7, 7, 7]], 0), panoptic([[7, 7, 7, 7]], [[1, 1, 2, 2]])
    assert counts(score((found, truth)), ROAD) == counts(score((truth, found)), ROAD) == (1, 0, 0)


def test_two_raw_ids_of_one_class(panoptic):
    """Stuff of either spelling is one segment; objects keep their own numbers under each."""
    classes = (
        LabelClass(0, "sea", (0, 0, 0), 0, "ground", False), LabelClass(1, "lake", (1, 0, 0), 0, "ground", False),
        LabelClass(4, "ship", (2, 0, 0), 1, "craft", True), LabelClass(9, "boat", (3, 0, 0), 1, "craft", True),
    )  # fmt: skip
    space = LabelSpace("sea", classes, None)
    truth = panoptic([[0, 1, 1, 4, 9]], [[0, 0, 0, 1, 1]])
    result = score((panoptic([[1, 1, 0, 9, 9]], [[0, 0, 0, 1, 2]]), truth), space=space)
    assert counts(result, 0) == (1, 0, 0) and counts(result, 1) == (2, 0, 0)


def test_things_of_other_spaces(panoptic):
    truth = panoptic([[26, 26, 7]], [[1, 1, 0]])
    assert score((truth, truth), space=GTA5).mean() == (1.0, 1.0, 1.0)


@given(st.integers(0, 10_000))
def test_properties(street, seed):
    rng = np.random.default_rng(seed)
    first, second = street(rng), street(rng)
    pooled, merged = score(first, second), score(first) + score(second)
    np.testing.assert_allclose(pooled.iou, merged.iou, rtol=1e-12)
    assert [counts(pooled, n) for n in range(19)] == [counts(merged, n) for n in range(19)]
    # Numbers are names.
    (raw, number), truth = first
    names = np.concatenate([[0], rng.permutation(1000) + 1]).astype(np.uint16)
    renamed, plain = score(((raw, names[number]), truth)), score(first)
    np.testing.assert_allclose(renamed.iou, plain.iou, rtol=1e-12)
    assert [counts(renamed, n) for n in range(19)] == [counts(plain, n) for n in range(19)]
    # What is there is found.
    perfect = score((truth, truth))
    assert perfect.false.sum() == perfect.missed.sum() == 0
    assert perfect.hits.sum() == 0 or perfect.mean() == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert all(0 <= value <= 1 for value in plain.mean()) or math.isnan(plain.mean().pq)


def test_bad_input_is_refused(panoptic):
    good = panoptic([[7, 7]], 0)
    with pytest.raises(ValueError, match="one size"):
        score((good, panoptic([[7]], 0)))
    with pytest.raises(ValueError, match="uint16"):
        score((good, (good[0], good[0])))
    with pytest.raises(UserError, match="77"):
        score((panoptic([[77, 7]], 0), good))
    with pytest.raises(ValueError, match="cannot add"):
        score() + score(space=GTA5)
    assert all(map(math.isnan, score().mean()))
