from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelClass, LabelSpace
from seglift.metrics import instance_iou as module
from seglift.metrics.instance_iou import CITYSCAPES_SIZES, InstanceIoU, thing_groups

CITYSCAPES, GTA5 = BUILTIN_SPACES["cityscapes"], BUILTIN_SPACES["gta5"]
CAR = 13


def score(space, *images):
    """Of (prediction, truth, number) raw ids; objects have the class of the truth."""
    result = InstanceIoU.empty(space)
    for prediction, truth, number in images:
        raw = [np.asarray(values, np.uint8) for values in (prediction, truth)]
        result.update(*(space.encode(values, "") for values in raw), raw[1], np.asarray(number, np.uint16))
    return result


def scene(rng, space, height=20, width=24):
    ids = np.array(space.ids)
    truth = rng.choice(ids, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    things = [entry.id for entry in space.classes if entry.thing]
    number = np.where(np.isin(truth, things), rng.integers(0, 4, truth.shape), 0)
    wrong = rng.random(truth.shape) < 0.4
    return np.where(wrong, rng.choice(ids, truth.shape), truth).astype(np.uint8), truth, number.astype(np.uint16)


def by_definition(space, images, sizes):
    """iIoU by class and category, object by object and pixel by pixel, from raw ids."""
    entry = {c.id: c for c in space.classes}
    evaluated = {c.id for c in space.classes if c.train_id != 255}
    hit, missed, group_hit, group_missed = ({} for _ in range(4))
    for prediction, truth, number in images:
        for raw in sorted(evaluated):
            for n in sorted(set(number[truth == raw].tolist()) - {0}):
                mask = (truth == raw) & (number == n)
                weight = sizes[entry[raw].name] / mask.sum()
                predicted = prediction[mask].tolist()
                right = sum(p == raw for p in predicted)
                group = entry[raw].category
                same = sum(entry[p].category == group and entry[p].thing for p in predicted)
                for table, key, value in (
                    (hit, raw, right), (missed, raw, len(predicted) - right),
                    (group_hit, group, same), (group_missed, group, len(predicted) - same),
                ):  # fmt: skip
                    table[key] = table.get(key, 0.0) + value * weight
    flat = [(p, t) for prediction, truth, _ in images for p, t in zip(prediction.flat, truth.flat, strict=True)]
    classes = {}
    for raw in sorted(evaluated):
        if entry[raw].thing:
            false = sum(p == raw and t in evaluated and t != raw for p, t in flat)
            whole = hit.get(raw, 0) + missed.get(raw, 0) + false
            classes[entry[raw].name] = hit.get(raw, 0) / whole if whole else math.nan
    groups = {}
    for name in ("human", "vehicle"):
        false = sum(
            entry[p].category == name and entry[p].thing and t in evaluated and entry[t].category != name
            for p, t in flat
        )
        whole = group_hit.get(name, 0) + group_missed.get(name, 0) + false
        groups[name] = group_hit.get(name, 0) / whole if whole else math.nan
    return classes, groups


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@pytest.mark.parametrize("space", [CITYSCAPES, GTA5], ids=lambda space: space.name)
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_definition(space, seed):
    rng = np.random.default_rng(seed)
    images = [scene(rng, space) for _ in range(2)]
    found = score(space, *images)
    own = found.average_sizes()
    for sizes in (CITYSCAPES_SIZES, {**dict.fromkeys(CITYSCAPES_SIZES, 0.0), **own}):
        classes, groups = by_definition(space, images, sizes)
        given = None if sizes is not CITYSCAPES_SIZES else sizes
        ours = dict(zip(space.train_names, found.iou(given), strict=True))
        assert [name for name, value in ours.items() if not math.isnan(value)] == [
            name for name, value in classes.items() if not math.isnan(value)
        ]
        np.testing.assert_allclose([ours[name] for name in classes], list(classes.values()), rtol=1e-12)
        np.testing.assert_allclose(list(found.category_iou(given).values()), list(groups.values()), rtol=1e-12)


def test_objects_count_alike_by_hand():
    """A whole large car and a missed small one: half of the car pixels' weight is right."""
    truth = np.full((1, 12), 26)
    number = np.array([[1] * 9 + [2] * 3])
    prediction = np.where(number == 1, 26, 7)
    assert score(CITYSCAPES, (prediction, truth, number)).iou()[CAR] == pytest.approx(0.5)
    assert score(CITYSCAPES, (prediction, truth, number)).iou(CITYSCAPES_SIZES)[CAR] == pytest.approx(0.5)


def test_a_group_makes_no_true_positive_and_no_false_positive():
    """Cars without number: neither hit nor miss, and a car predicted there is nobody's fault."""
    truth, number = np.array([[26, 26, 26, 7]]), np.array([[1, 0, 0, 0]])
    found = score(CITYSCAPES, ([[26, 26, 7, 7]], truth, number))
    assert (found.objects[CAR], found.pixels[CAR], found.false[CAR]) == (1, 1, 0)
    assert found.iou()[CAR] == 1.0
    assert score(CITYSCAPES, ([[26, 26, 7, 26]], truth, number)).iou()[CAR] == pytest.approx(0.5)


def test_predicted_caravans_count_for_the_category_alone():
    truth, number = np.array([[26, 26, 7, 0]]), np.array([[1, 1, 0, 0]])
    found = score(CITYSCAPES, ([[29, 29, 29, 29]], truth, number))
    assert found.iou()[CAR] == 0.0
    assert found.category_iou()["vehicle"] == pytest.approx(2 / 3)  # a weight of 2, and a false pixel on the road
    # A licence plate is a vehicle in GTA-5, but no object.
    found = score(GTA5, ([[34, 34, 34, 34]], truth, number))
    assert found.category_iou()["vehicle"] == 0.0 and found.group_false.sum() == 0


def test_void_ground_truth_is_left_out():
    truth, number = np.array([[0, 3, 29, 7]]), np.array([[0, 0, 1, 0]])
    found = score(CITYSCAPES, ([[26, 24, 26, 7]], truth, number))
    assert found.objects.sum() == found.false.sum() == found.group_false.sum() == 0
    assert np.isnan(found.iou()).all() and all(map(math.isnan, found.category_iou().values()))


def test_the_instance_file_says_the_class_of_an_object():
    space = CITYSCAPES
    index = space.encode(np.array([[27, 27]], np.uint8), "")
    found = InstanceIoU.empty(space)
    found.update(index, index, np.array([[26, 26]], np.uint8), np.array([[1, 1]], np.uint16))
    assert found.objects[CAR] == 1 and found.iou()[CAR] == 0.0 and math.isnan(found.iou()[14])


def test_sums_of_parts_merge():
    rng = np.random.default_rng(5)
    images = [scene(rng, CITYSCAPES) for _ in range(3)]
    whole, merged = score(CITYSCAPES, *images), InstanceIoU.empty(CITYSCAPES)
    for image in images:
        merged = score(CITYSCAPES, image) + merged
    np.testing.assert_allclose(whole.iou(CITYSCAPES_SIZES), merged.iou(CITYSCAPES_SIZES), rtol=1e-12)
    assert whole.category_iou() == pytest.approx(merged.category_iou())
    assert whole.average_sizes() == merged.average_sizes()


def test_categories_that_are_scored():
    assert [group.name for group in thing_groups(CITYSCAPES)] == ["human", "vehicle"]
    assert [CITYSCAPES.ids[i] for i in thing_groups(CITYSCAPES)[1].indices] == list(range(26, 34))
    assert [group.name for group in thing_groups(GTA5)] == ["human", "vehicle"]
    assert [group.name for group in thing_groups(BUILTIN_SPACES["binary"])] == ["foreground"]


def test_two_raw_ids_of_one_class():
    """Either spelling of a class is right, and objects of both are its objects."""
    classes = (
        LabelClass(0, "ground", (0, 0, 0), 0, "ground", False),
        LabelClass(4, "ship", (1, 0, 0), 1, "craft", True),
        LabelClass(9, "boat", (2, 0, 0), 1, "craft", True),
    )
    space = LabelSpace("sea", classes, None)
    found = score(space, ([[9, 4, 0, 0]], [[4, 9, 9, 0]], [[1, 1, 1, 0]]))
    assert found.objects.tolist() == [0, 2] and found.average_sizes() == {"ship": 1.5}
    assert found.iou()[1] == pytest.approx(0.75) and found.category_iou() == {"craft": pytest.approx(0.75)}
    with pytest.raises(ValueError, match="lack ship"):
        found.iou({"boat": 3.0})


def test_bad_input_is_refused():
    good, number = np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16)
    found = InstanceIoU.empty(CITYSCAPES)
    with pytest.raises(ValueError, match="four"):
        found.update(good, good, good[:1], number)
    with pytest.raises(ValueError, match="1000"):
        found.update(good, good, good, number + 1001)
    with pytest.raises(UserError, match="77"):
        found.update(good, good, good + 77, number)
    with pytest.raises(ValueError, match="cannot add"):
        found + InstanceIoU.empty(GTA5)
