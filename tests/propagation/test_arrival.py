from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from seglift.propagation.arrival import Arrival, arrive, compare_arrival
from seglift.propagation.state import Origin, keyframe_state, label_support

HEIGHT, WIDTH = 40, 60
VOID, WALL, ROAD, LAKE = range(4)
"""Space indices of the toy space; its train ids are road 0, lake 1, wall 2."""


def scene(*columns: int) -> torch.Tensor:
    """Upright stripes of equal width."""
    labels = np.repeat(np.uint8(columns), WIDTH // len(columns))
    return torch.from_numpy(np.tile(labels, (HEIGHT, 1))[None])


def grey(level: int = 100) -> torch.Tensor:
    return torch.full((1, 3, HEIGHT, WIDTH), level, dtype=torch.uint8)


@pytest.fixture
def compare(space):
    """What arrives where nothing moves, ``lost`` pixels on the right out of view, seen in another ``light``."""

    def compare(carried, drawn, lost: int = 0, light: int = 100, error: float = 0.0) -> Arrival:
        origin = Origin(carried, grey())
        trace = keyframe_state(origin).trace.clone()
        trace[:, 2] = error
        trace[:, 3, :, WIDTH - lost :] = 1.0
        return compare_arrival(arrive(trace, origin, grey(light), 5), drawn, label_support(drawn), space)

    return compare


def test_the_same_drawing_agrees(compare):
    arrival = compare(scene(ROAD, LAKE), scene(ROAD, LAKE))
    assert arrival.confusion.pixel_accuracy() == arrival.confusion.miou() == 1.0
    assert arrival.calibration.accuracy() == 1.0
    assert arrival.calibration.mean() > 0.9
    assert arrival.trusted.sum() > 0.8 * arrival.pixels
    assert not arrival.contradicts


def test_only_what_was_in_view_counts(compare):
    arrival = compare(scene(ROAD, LAKE), scene(ROAD, ROAD), lost=WIDTH // 2)
    assert arrival.confusion.counts.sum() == arrival.calibration.pixels == HEIGHT * WIDTH // 2
    assert arrival.confusion.pixel_accuracy() == 1.0
    assert not arrival.contradicts


def test_void_of_either_drawing_is_left_out(compare):
    arrival = compare(scene(ROAD, VOID, LAKE), scene(VOID, LAKE, LAKE))
    assert arrival.confusion.counts.sum() == HEIGHT * WIDTH // 3
    assert arrival.trusted.sum() == arrival.trusted[1, 1] > 0
    assert arrival.calibration.pixels == HEIGHT * WIDTH * 2 // 3  # arrived void is no label there
    nothing = compare(scene(VOID), scene(VOID))
    assert nothing.confusion.counts.sum() == nothing.calibration.pixels == nothing.trusted.sum() == 0
    assert not nothing.contradicts


def test_swapped_classes_contradict(compare):
    arrival = compare(scene(ROAD, LAKE, WALL), scene(LAKE, ROAD, WALL))
    assert arrival.contradicts
    assert arrival.disagreement == pytest.approx(2 / 3, abs=0.05)
    assert arrival.class_disagreement.tolist() == [1.0, 1.0, 0.0]


def test_a_small_class_contradicts_too(compare):
    drawn = scene(ROAD)
    carried = drawn.clone()
    carried[:, 10:20, 10:18] = LAKE
    arrival = compare(carried, drawn)
    assert arrival.disagreement < 0.05
    assert arrival.class_disagreement[1] == 1.0
    assert arrival.contradicts


@pytest.mark.parametrize("reason", [{"light": 130}, {"error": 2.5}])
def test_uncertain_motion_contradicts_nothing(compare, reason):
    arrival = compare(scene(ROAD, LAKE), scene(LAKE, ROAD), **reason)
    assert arrival.confusion.pixel_accuracy() == 0.0
    assert arrival.trusted.sum() == 0
    assert arrival.disagreement == 0.0
    assert not arrival.contradicts


def test_borders_that_lie_elsewhere_contradict_nothing(compare):
    drawn = torch.from_numpy(np.tile(np.repeat(np.uint8([ROAD, LAKE]), (32, 28)), (HEIGHT, 1))[None])
    arrival = compare(scene(ROAD, LAKE), drawn)
    assert arrival.confusion.pixel_accuracy() < 1.0
    assert not arrival.contradicts


def test_a_few_pixels_tell_nothing(compare):
    carried = scene(ROAD)
    carried[:, 10:14, 10:14] = LAKE
    assert not compare(carried, scene(ROAD)).contradicts


def test_arrivals_survive_json(compare):
    arrival = compare(scene(ROAD, LAKE, WALL), scene(LAKE, LAKE, WALL))
    again = Arrival.from_json(json.loads(json.dumps(arrival.as_json())))
    for mine, other in zip(
        (arrival.confusion.counts, arrival.calibration.counts, arrival.trusted),
        (again.confusion.counts, again.calibration.counts, again.trusted),
        strict=True,
    ):
        assert np.array_equal(mine, other)
    assert again.pixels == arrival.pixels
    assert again.contradicts == arrival.contradicts
