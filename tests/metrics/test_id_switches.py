"""Id switches against the definition, written out mask by mask."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.metrics import id_switches as module
from seglift.metrics.id_switches import IdSwitches

SPACE = BUILTIN_SPACES["cityscapes"]
ROAD, PERSON, CAR, VOID = 7, 24, 26, 0
SHAPE = (24, 32)


def slow(frames):
    """CLEAR MOT's mismatches: the mapping of each object is remembered until another one contradicts it."""
    mapping, switches, matches, seen = {}, {}, 0, set()
    for (raw, number), (true_raw, true_number) in frames:
        void = true_raw == VOID
        for name in (PERSON, CAR):
            for true in np.unique(true_number[true_raw == name]):
                for found in np.unique(number[raw == name]):
                    a = (true_raw == name) & (true_number == true)
                    b = (raw == name) & (number == found)
                    if not true or not found or (a & b).sum() <= 0.5 * (a | b & ~void).sum():
                        continue
                    matches += 1
                    seen.add((name, true))
                    if mapping.setdefault((name, true), found) != found:
                        switches[name] = switches.get(name, 0) + 1
                    mapping[name, true] = found
    return sum(switches.values()), switches, matches, len(seen)


def video(rng, length=8):
    """Squares that wander and overlap, predicted a little off; their ids change now and then, or are a crowd's."""
    places = rng.integers(0, 18, (6, 2))
    ids = list(range(1, 7))
    for _ in range(length):
        maps = [np.full(SHAPE, ROAD, np.uint8), np.zeros(SHAPE, np.uint16)]
        found = [np.full(SHAPE, ROAD, np.uint8), np.zeros(SHAPE, np.uint16)]
        for n in range(6):
            places[n] = np.clip(places[n] + rng.integers(-1, 2, 2), 0, 18)
            if rng.random() < 0.25:
                ids[n] = int(rng.integers(0, 9))
            name, size = (CAR, 7) if n % 2 else (PERSON, 5)
            (y, x), (dy, dx) = places[n], rng.integers(0, 2, 2)
            area = np.s_[y : y + size, x : x + size]
            maps[0][area], maps[1][area] = name, 0 if n == 5 else n + 1
            if rng.random() < 0.85:
                area = np.s_[y + dy : y + dy + size, x + dx : x + dx + size]
                found[0][area], found[1][area] = name, ids[n]
        maps[0][:, 28:] = VOID
        maps[1][:, 28:] = 0
        yield (found[0], found[1]), (maps[0], maps[1])


def add(frames):
    total = IdSwitches(SPACE)
    for prediction, truth in frames:
        total += IdSwitches.of(SPACE, prediction, truth)
    return total


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@pytest.mark.parametrize("seed", range(10))
def test_equal_to_the_definition(seed):
    frames = list(video(np.random.default_rng(seed)))
    found = add(frames)
    count, by_class, matches, objects = slow(frames)
    assert (found.count(), found.matches, found.objects, found.frames) == (count, matches, objects, len(frames))
    names = {"person": by_class.get(PERSON, 0), "car": by_class.get(CAR, 0)}
    assert {name: value for name, value in found.by_class().items() if value} == {n: v for n, v in names.items() if v}


def test_the_videos_have_switches():
    assert sum(slow(list(video(np.random.default_rng(seed))))[0] for seed in range(10)) > 20


@pytest.mark.parametrize("seed", range(3))
def test_parts_add_up_wherever_they_are_cut(seed):
    frames = list(video(np.random.default_rng(seed)))
    whole = add(frames)
    for first in range(len(frames) + 1):
        for second in range(first, len(frames) + 1):
            a, b, c = add(frames[:first]), add(frames[first:second]), add(frames[second:])
            assert (a + b) + c == a + (b + c) == whole


def one(number, true=1, raw=CAR):
    square = np.full((2, 3), raw, np.uint8)
    numbers = np.full((2, 3), number, np.uint16)
    return (square, numbers), (np.full((2, 3), CAR, np.uint8), np.full((2, 3), true, np.uint16))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([one(3), one(3)], 0),
        ([one(3), one(4)], 1),
        ([one(3), one(4), one(3)], 2),
        ([one(3), one(0), one(3)], 0),  # a crowd has no id
        ([one(3), one(0), one(4)], 1),  # and nothing is forgotten meanwhile
        ([one(3), one(3, raw=27), one(3)], 0),  # of another class: no match
        ([one(3), one(3, true=2)], 0),  # two objects that share an id
        ([one(3, true=0), one(4, true=0)], 0),  # crowds of the ground truth
    ],
)
def test_what_counts(frames, expected):
    assert add(frames).count() == expected


def test_other_spaces_do_not_add_up():
    with pytest.raises(ValueError, match="cannot add id switches in cityscapes and kitti"):
        IdSwitches(SPACE) + IdSwitches(BUILTIN_SPACES["kitti"])


def test_nothing():
    assert IdSwitches(SPACE).as_json() == {"count": 0, "objects": 0, "matches": 0, "frames": 0, "by_class": {}}
