"""Objects on a frame: which one a pixel is of, checked pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.propagation.objects import (
    LATER_CODE,
    CarriedObjects,
    carry_objects,
    choose_objects,
    count_overlaps,
    overlaps_by_flow,
    spread_codes,
)
from seglift.propagation.provenance import EARLIER, HUMAN, LATER, MODEL
from seglift.propagation.state import keyframe_state

ROAD, PERSON, CAR = 7, 24, 26
THINGS = np.isin(np.arange(256), (PERSON, CAR))
CLASSES = np.array([-1, PERSON, CAR, CAR])


def carried(codes, distance=1, view=True):
    codes = np.array(codes, np.int16)
    return CarriedObjects(codes, CLASSES, np.broadcast_to(np.array(view), codes.shape), distance)


def choose(raw, provenance, earlier, later):
    arrays = np.array(raw, np.uint8), np.broadcast_to(np.array(provenance, np.uint8), np.shape(raw))
    return choose_objects(*arrays, THINGS, earlier, later).tolist()


def later(code):
    return LATER_CODE + code


@pytest.mark.parametrize(
    ("raw", "provenance", "first", "second", "expected"),
    [
        (CAR, EARLIER, carried([[2]]), carried([[3]]), 2),
        (CAR, LATER, carried([[2]]), carried([[3]]), later(3)),
        (CAR, MODEL, carried([[2]], 4), carried([[3]], 3), later(3)),
        (CAR, MODEL, carried([[2]], 3), carried([[3]], 3), 2),
        (CAR, EARLIER, carried([[1]]), carried([[3]]), later(3)),  # the label decides
        (CAR, LATER, carried([[2]]), carried([[0]]), 2),
        (CAR, EARLIER, carried([[1]]), carried([[0]]), 0),
        (ROAD, EARLIER, carried([[2]]), carried([[3]]), 0),
        (CAR, EARLIER, carried([[2]], view=False), carried([[3]]), 2),  # its replicated border gave the label
        (CAR, MODEL, carried([[2]], 1, False), carried([[3]], 2), later(3)),
        (CAR, MODEL, carried([[2]], 1, False), carried([[3]], 2, False), 0),
        (CAR, EARLIER, carried([[2]]), None, 2),
        (CAR, LATER, None, carried([[2]]), later(2)),
        (CAR, MODEL, None, None, 0),
    ],
)
def test_which_keyframe_a_pixel_listens_to(raw, provenance, first, second, expected):
    assert choose([[raw]], [[provenance]], first, second) == [[expected]]


def test_the_rest_of_a_region_goes_to_the_nearest_object():
    raw = [[CAR, CAR, CAR, CAR, ROAD, CAR, PERSON]]
    assert choose(raw, EARLIER, carried([[2, 0, 0, 3, 3, 0, 1]]), None) == [[2, 2, 3, 3, 0, 0, 1]]


def nearest(codes, raw):
    """The definition, pixel by pixel; every code among the nearest ones of a pixel is right."""
    height, width = raw.shape
    region = np.zeros(raw.shape, int)
    for start in np.ndindex(raw.shape):
        if THINGS[raw[start]] and not region[start]:
            stack, region[start] = [start], 1 + region.max()
            while stack:
                y, x = stack.pop()
                for b in range(max(y - 1, 0), min(y + 2, height)):
                    for a in range(max(x - 1, 0), min(x + 2, width)):
                        if raw[b, a] == raw[start] and not region[b, a]:
                            region[b, a] = region[start]
                            stack.append((b, a))
    for y, x in np.argwhere(THINGS[raw] & (codes == 0)):
        known = np.argwhere((region == region[y, x]) & (codes > 0))
        far = ((known - (y, x)) ** 2).sum(1)
        yield (y, x), {int(codes[tuple(place)]) for place in known[far == far.min(initial=10**9)]} or {0}


@pytest.mark.parametrize("seed", range(8))
def test_spreading_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    raw = rng.choice(np.array([ROAD, ROAD, PERSON, CAR, CAR], np.uint8), (6, 8)).repeat(2, 0).repeat(2, 1)
    codes = np.where(THINGS[raw] & (rng.random(raw.shape) < 0.1), rng.integers(1, 50, raw.shape), 0).astype(np.uint16)
    spread = codes.copy()
    spread_codes(spread, raw, THINGS)
    assert (spread[codes > 0] == codes[codes > 0]).all() and (spread[~THINGS[raw]] == 0).all()
    open_pixels = dict(nearest(codes, raw))
    assert len(open_pixels) > 50
    for place, allowed in open_pixels.items():
        assert int(spread[place]) in allowed


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_count_what_both_could_see(seed):
    rng = np.random.default_rng(seed)
    one, other = (carried(rng.integers(0, 4, (9, 7)), view=rng.random((9, 7)) < 0.8) for _ in range(2))
    rows = count_overlaps(one, other)
    expected = {}
    for a, b, seen in zip(one.codes.flat, other.codes.flat, (one.in_view & other.in_view).flat, strict=True):
        if seen and (a or b):
            expected[int(a), int(b)] = expected.get((int(a), int(b)), 0) + 1
    assert {(a, b): count for a, b, count in rows} == expected and rows == sorted(rows)
    assert all(type(value) is int for row in rows for value in row)


def test_codes_are_sampled_where_the_trace_leads(make_origin):
    state = keyframe_state(make_origin())
    codes = torch.arange(12 * 16, dtype=torch.int16).view(1, 12, 16)
    trace = state.trace.clone()
    trace[:, 0] += 2.4
    trace[:, 3, :, -2:] = 1.0
    found = carry_objects(codes, CLASSES, replace(state, trace=trace, distance=3))
    assert np.array_equal(found.codes[:, :-3], codes[0, :, 2:-1].numpy())
    assert (found.codes[:, -1] == codes[0, :, -1].numpy()).all() and found.distance == 3
    assert found.in_view[:, :-2].all() and not found.in_view[:, -2:].any()


def test_overlaps_across_one_step():
    here, there = np.zeros((6, 10), np.uint16), np.zeros((6, 10), np.uint16)
    here[1:3, 1:4], there[1:3, 3:6], there[4, 0] = 5, 9, 8
    flow = torch.zeros(1, 2, 6, 10)
    flow[:, 0] = -2.0
    assert overlaps_by_flow(flow, here, there) == [[5, 9, 6]]  # what comes from out of view is left out


def test_a_human_s_frame_keeps_what_was_drawn():
    codes = [[1, 2, 3, 0]]
    assert choose([[PERSON, CAR, CAR, ROAD]], HUMAN, carried(codes, 0), None) == codes
