"""Objects of neighbouring keyframes matched, and numbered over a clip."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from seglift.propagation.object_tracks import LEAST_IOU, match_objects, number_objects

PERSON, CAR = 24, 26


def cars(*numbers):
    return [(CAR, number) for number in numbers]


def test_the_same_object_under_another_code():
    rows = [[1, 0, 3], [1, 2, 7], [0, 2, 1], [2, 1, 5]]
    assert match_objects(rows, cars(1, 2), cars(1, 2)) == {1: 2, 2: 1}


def test_frames_add_up():
    assert match_objects([[1, 1, 1], [1, 2, 2], [1, 1, 9], [1, 2, 1]], cars(1), cars(1, 2)) == {1: 1}


@pytest.mark.parametrize(
    ("earlier", "later"), [([(CAR, 1)], [(PERSON, 1)]), ([(CAR, 0)], [(CAR, 1)]), ([(CAR, 1)], [(CAR, 0)])]
)
def test_other_classes_and_crowds_match_nothing(earlier, later):
    assert match_objects([[1, 1, 50]], earlier, later) == {}


def test_hardly_any_overlap_is_none():
    enough = int(LEAST_IOU * 1000) + 1
    assert match_objects([[1, 1, enough], [1, 0, 1000 - enough]], cars(1), cars(1)) == {1: 1}
    assert match_objects([[1, 1, enough - 2], [1, 0, 1002 - enough]], cars(1), cars(1)) == {}


def test_no_overlaps():
    assert match_objects([], cars(1), cars(1)) == {}


@pytest.mark.parametrize("seed", range(10))
def test_the_largest_sum_of_iou(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 30, (5, 5))
    table[0, 0] = 0
    rows = [[a, b, int(table[a, b])] for a in range(5) for b in range(5) if table[a, b]]
    sizes = table.sum(1), table.sum(0)
    iou = np.array([[table[a, b] / (sizes[0][a] + sizes[1][b] - table[a, b]) for b in range(5)] for a in range(5)])
    iou[iou < LEAST_IOU] = 0.0
    best = max(sum(iou[a, b] for a, b in zip(range(1, 5), order, strict=True)) for order in permutations(range(1, 5)))
    found = match_objects(rows, cars(1, 2, 3, 4), cars(1, 2, 3, 4))
    assert len(set(found.values())) == len(found)
    assert sum(iou[a, b] for a, b in found.items()) == pytest.approx(best)
    assert all(iou[a, b] > 0 for a, b in found.items())


def number(keyframes, matches, most=1000):
    return number_objects(keyframes, matches, most)


def test_an_object_keeps_the_number_of_its_first_keyframe():
    found = number([cars(1, 2), cars(1, 2), cars(7)], [{1: 2, 2: 1}, {2: 1}])
    assert found.numbers == ((1, 2), (2, 1), (1,)) and (found.objects, found.reused) == (2, 0)


def test_a_new_object_keeps_its_number_where_it_is_free():
    assert number([cars(1), cars(1, 5)], [{1: 1}]).numbers == ((1,), (1, 5))


def test_a_new_object_gets_a_new_number_where_it_is_not():
    assert number([cars(1, 4), cars(1)], [{}]).numbers == ((1, 4), (5,))
    # Above all numbers in use, later ones too: a number that is changed disturbs no other.
    assert number([cars(1), cars(1), cars(2)], [{}, {}]).numbers == ((1,), (3,), (2,))


def test_classes_have_numbers_of_their_own():
    assert number([[(PERSON, 1), (CAR, 1)], [(PERSON, 1), (CAR, 1)]], [{1: 1}]).numbers == ((1, 1), (1, 2))


def test_crowds_have_none():
    found = number([[(CAR, 0), (CAR, 1)]], [])
    assert found.numbers == ((0, 1),) and found.objects == 1


def test_free_numbers_below_the_highest():
    assert number([cars(3), cars(3), cars(3)], [{}, {}], most=3).numbers == ((3,), (1,), (2,))


def test_numbers_of_objects_long_gone():
    found = number([cars(1), cars(1), cars(1), cars(2)], [{}, {}, {1: 1}], most=2)
    # The second is seen up to the third keyframe, which takes the number of the first, gone at the second.
    assert found.numbers == ((1,), (2,), (1,), (1,)) and (found.objects, found.reused) == (3, 1)


def test_too_many_at_once():
    with pytest.raises(ValueError, match="more than 2 objects of class 26 at once"):
        number([cars(1, 2), cars(1)], [{}], most=2)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_seen_together_never_shares_a_number(seed):
    rng = np.random.default_rng(seed)
    keyframes, matches = [], []
    for _ in range(12):
        keyframes.append(cars(*sorted(rng.permutation(4)[: rng.integers(0, 4)] + 1)))
    for first, second in pairwise(keyframes):
        kept = min(len(first), len(second), int(rng.integers(0, 3)))
        codes = zip(rng.permutation(len(first))[:kept] + 1, rng.permutation(len(second))[:kept] + 1, strict=True)
        matches.append({int(a): int(b) for a, b in codes})
    found = number(keyframes, matches, most=9)
    for position, numbers in enumerate(found.numbers):
        assert len(set(numbers)) == len(numbers) and all(1 <= value <= 9 for value in numbers)
        if position + 1 == len(keyframes):
            continue
        following, pairs = found.numbers[position + 1], matches[position]
        for code, value in enumerate(numbers, start=1):
            if code in pairs:
                assert following[pairs[code] - 1] == value
            else:
                assert value not in following
