from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.metrics import instance_ap as module
from seglift.metrics.instance_ap import InstanceAP

CITYSCAPES, GTA5 = BUILTIN_SPACES["cityscapes"], BUILTIN_SPACES["gta5"]
PERSON, CAR = 11, 13


def score(*images, scores=None, space=CITYSCAPES):
    """Of (prediction, truth), each of raw ids and instance numbers; ``scores`` for each image."""
    result = InstanceAP.empty(space)
    for index, (prediction, truth) in enumerate(images):
        result.update(prediction, truth, None if scores is None else scores[index])
    return result


def draw_scores(rng, images):
    """Few different ones, and none for some objects."""
    values = rng.choice([0.0, 0.25, 0.3, 0.5, 0.875, 1.0, -2.0, 3.5], (len(images), 35, 602)).tolist()
    return [
        {(raw, n): values[index][raw][n] for raw in range(24, 34) for n in range(1, 602) if (raw + n + index) % 4}
        for index in range(len(images))
    ]


def compare(found, expected):
    table = found.average_precision()
    things = {CITYSCAPES.train_names[n]: table[n] for n in CITYSCAPES.thing_train_ids}
    assert things.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(things[name], 0.0 if values is None else values, rtol=1e-12, err_msg=name)
    assert np.isnan(table[: CITYSCAPES.thing_train_ids[0]]).all()
    known = [np.zeros(10) if values is None else values for values in expected.values()]
    known = [values for values in known if not np.isnan(values).any()]
    mean = (np.mean(known), np.mean([v[0] for v in known])) if known else (math.nan, math.nan)
    np.testing.assert_allclose(found.mean(), mean, rtol=1e-12)


def car_pair(panoptic, shared, mine=200, theirs=200):
    """A found and a true car of some pixels that share ``shared`` of them, in one row."""
    at = np.arange(1000)[None]
    return (
        panoptic(np.where(at < mine, 26, 7), at < mine),
        panoptic(np.where((at >= mine - shared) & (at < mine - shared + theirs), 26, 7),
                 (at >= mine - shared) & (at < mine - shared + theirs)),
    )  # fmt: skip


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_the_official_evaluation(seed, official, street, monkeypatch):
    rng = np.random.default_rng(100 + seed)
    files = official([street(rng) for _ in range(4)])
    images = files.read()
    scores = draw_scores(rng, images) if seed % 3 else [{}] * len(images)
    found = score(*images, scores=scores)
    assert found.hits.sum() > 0 and found.false.sum() > 0
    compare(found, files.instances(scores, monkeypatch))


@pytest.mark.parametrize("part", range(4))
def test_hard_cases_equal_the_official_evaluation(part, official, hard_cases, monkeypatch):
    for case in list(hard_cases.values())[part::4]:
        files = official([case])
        compare(score(*files.read()), files.instances([{}], monkeypatch))


def test_steps_by_hand(panoptic):
    """One of two cars found with IoU 0.75 and a score of 0.8, a false one with 0.9: (1/2, 1/2), (0, 0) and (1, 0)."""
    found, truth = car_pair(panoptic, 150, 175, 175)
    truth[0][0, 600:], truth[1][0, 600:] = 26, 2
    found[0][0, 400:550], found[1][0, 400:550] = 26, 2
    result = score((found, truth), scores=[{(26, 1): 0.8, (26, 2): 0.9}])
    table = result.average_precision()[CAR]
    # Widths of the steps: (1/2 - 0) / 2, (1/2 - 0) / 2 and 0.
    np.testing.assert_allclose(table, 5 * [0.25 * 0.5] + 5 * [0.0], atol=1e-12)
    assert result.by_class()["car"] == pytest.approx((0.0625, 0.125)) == result.mean()
    # With equal scores there is one point, (1/2, 1/2), and the artificial one.
    assert score((found, truth)).mean()[1] == pytest.approx(0.25 * 0.5 + 0.25 * 1)


def test_an_iou_at_the_threshold_is_none_above_it(panoptic):
    assert score(car_pair(panoptic, 100, 150, 150)).mean() == (0.0, 0.0)
    assert score(car_pair(panoptic, 101, 150, 150)).mean() == pytest.approx((0.1, 1.0))


def test_small_objects_need_not_be_found(panoptic):
    small, just = car_pair(panoptic, 99, 99, 99), car_pair(panoptic, 100, 100, 100)
    result = score(small)
    assert result.objects.sum() == result.hits.sum() == result.false.sum() == 0 and math.isnan(result.mean()[0])
    assert score(just).mean() == (1.0, 1.0)
    # Neither right nor false, whatever its score.
    assert score(small, just, scores=[{(26, 1): 9.0}, {}]).mean() == (1.0, 1.0)


def test_half_on_a_group_is_false_and_more_is_not(panoptic):
    at = np.arange(1000)[None]
    truth = panoptic(np.where((at < 200) | (at >= 800), 26, 7), np.where(at >= 800, 5, 0))

    def false(end):
        return score((panoptic(np.where(at < end, 26, 7), at < end), truth)).false.sum(axis=0).tolist()

    assert false(400) == 10 * [1] and false(399) == [0] + 9 * [1] and false(200) == 10 * [0]
    # Void without number excuses, too; an object that is not evaluated does not, as in the script.
    truth[0][0, :200] = 4
    assert false(399) == [0] + 9 * [1]
    truth[0][0, :200], truth[1][0, :200] = 29, 1
    assert false(200) == 10 * [1]


def test_things_without_number_are_no_prediction(panoptic):
    _, truth = car_pair(panoptic, 200)
    result = score((panoptic(truth[0], 0), truth))
    assert result.classes.size == 0 and result.mean() == (0.0, 0.0)


def test_absent_and_missed_classes(panoptic):
    found, truth = car_pair(panoptic, 200)
    result = score((panoptic(np.where(found[0] == 26, 24, 7), found[1]), truth))
    by_class = result.by_class()
    assert by_class["car"] == (0.0, 0.0) and all(map(math.isnan, by_class["person"]))
    assert list(by_class) == ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
    assert all(map(math.isnan, score().mean()))


@given(st.integers(0, 10_000))
def test_properties(street, seed):
    rng = np.random.default_rng(seed)
    images = [street(rng) for _ in range(3)]
    scores = draw_scores(rng, images)
    merged = InstanceAP.empty(CITYSCAPES)
    for image, own in zip(images, scores, strict=True):
        merged = score(image, scores=[own]) + merged
    pooled = score(*images, scores=scores)
    np.testing.assert_allclose(pooled.average_precision(), merged.average_precision(), rtol=1e-12)
    assert pooled.classes.size == merged.classes.size == len(set(zip(merged.classes, merged.scores, strict=True)))
    # Numbers are names.
    names = np.concatenate([[0], rng.permutation(1000) + 1]).astype(np.uint16)
    renamed = score(*(((raw, names[number]), truth) for (raw, number), truth in images),
                    scores=[{(raw, int(names[n])): v for (raw, n), v in own.items()} for own in scores])  # fmt: skip
    np.testing.assert_allclose(pooled.average_precision(), renamed.average_precision(), rtol=1e-12)
    perfect = score(*((truth, truth) for _, truth in images)).average_precision()
    np.testing.assert_allclose(perfect[~np.isnan(perfect)], 1.0, atol=1e-12)
    known = pooled.average_precision()
    known = known[~np.isnan(known)]
    assert (known >= 0).all() and (known <= 1 + 1e-12).all()


def test_bad_input_is_refused(panoptic):
    pair = car_pair(panoptic, 200)
    with pytest.raises(ValueError, match="finite"):
        score(pair, scores=[{(26, 1): math.nan}])
    with pytest.raises(ValueError, match="one size"):
        score((pair[0], panoptic([[7]], 0)))
    with pytest.raises(ValueError, match="cannot add"):
        score() + score(space=GTA5)
