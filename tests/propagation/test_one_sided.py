"""One-sided walks against steps worked out one by one, and what rides along against plain sampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.motion.maps import map_from_flow, sample_nearest
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.one_sided import Rider, SideWalker
from seglift.propagation.state import Origin

HEIGHT, WIDTH, LENGTH = 20, 24, 9


def frame(index):
    """Tells its index by its values."""
    return torch.full((1, 3, HEIGHT, WIDTH), index, dtype=torch.uint8)


def flow_between(source, target):
    """A smooth flow that differs from pair to pair, with whole and broken pixels."""
    generator = np.random.default_rng([source, target])
    coarse = torch.from_numpy(generator.normal(0.0, 2.0, (1, 2, 3, 4)).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear", align_corners=True)


class Estimator:
    """Notes what it was shown."""

    def __init__(self, wants_previous=False):
        self.wants_previous = wants_previous
        self.shown = []

    def __call__(self, source, target, previous=None):
        pair = int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0])
        self.shown.append((None if previous is None else int(previous[0, 0, 0, 0]), *pair))
        return flow_between(*pair)


@pytest.fixture
def origin():
    generator = np.random.default_rng(1)
    labels = torch.from_numpy(generator.integers(0, 9, (1, HEIGHT, WIDTH), dtype=np.uint8))
    image = torch.from_numpy(generator.integers(0, 256, (1, 3, HEIGHT, WIDTH), dtype=np.uint8))
    return Origin(labels, image)


@pytest.mark.parametrize("indices", [range(4, 8), range(4, 0, -1)])
@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_a_walk_is_its_steps(origin, indices, recursive, check):
    estimator = Estimator()
    walked = list(SideWalker(frame, LENGTH, estimator, MotionOnly(recursive), check).walk(origin, indices))
    assert [index for index, _, _ in walked] == list(indices)[1:]
    ahead = [(None, index - indices.step, index) for index in list(indices)[1:]]
    back = [(None, index, index - indices.step) for index in list(indices)[1:]]
    assert estimator.shown == ([pair for both in zip(ahead, back, strict=True) for pair in both] if check else ahead)
    labels = origin.labels
    for number, (index, state, motion) in enumerate(walked):
        assert torch.equal(motion.flow, flow_between(index - indices.step, index))
        assert state.distance == number + 1
        assert bool((motion.error > 0).any()) == check
        labels = sample_nearest(labels, map_from_flow(motion.flow))
        wanted = labels if recursive else sample_nearest(origin.labels, state.sampling_map)
        assert torch.equal(state.labels, wanted)


def test_the_frame_before_is_a_real_one_in_the_direction_of_travel(origin):
    estimator = Estimator(wants_previous=True)
    walker = SideWalker(frame, LENGTH, estimator, MotionOnly(), check=True)
    list(walker.walk(origin, range(4, 7)))
    assert estimator.shown == [(3, 4, 5), (6, 5, 4), (4, 5, 6), (7, 6, 5)]
    estimator.shown.clear()
    list(walker.walk(origin, range(1, -1, -1)))
    assert estimator.shown == [(2, 1, 0), (None, 0, 1)]
    estimator.shown.clear()
    list(SideWalker(frame, LENGTH, estimator, MotionOnly(), check=False).walk(origin, range(7, 9)))
    assert estimator.shown == [(6, 7, 8)]


def test_no_frame_is_read_for_an_estimator_that_does_not_look_back(origin):
    read = []

    def reading(index):
        read.append(index)
        return frame(index)

    list(SideWalker(reading, LENGTH, Estimator(), MotionOnly()).walk(origin, range(4, 6)))
    assert set(read) == {4, 5}


@pytest.mark.parametrize("check", [False, True])
def test_nan_is_told(origin, check):
    def broken(source, target, previous=None):
        return torch.full((1, 2, HEIGHT, WIDTH), torch.nan)

    with pytest.raises(UserError, match=r"NaN.*--motion dis"):
        list(SideWalker(frame, LENGTH, broken, MotionOnly(), check).walk(origin, range(2)))


@pytest.mark.parametrize("recursive", [False, True])
def test_riders_take_the_labels_way(origin, recursive):
    ids = np.random.default_rng(2).integers(0, 2**16, (1, HEIGHT, WIDTH)).astype(np.uint16)
    picture, labels = Rider(origin.image, recursive), Rider(origin.labels, recursive)
    instances = Rider(torch.from_numpy(ids.view(np.int16)), recursive)
    image, bits = origin.image, torch.from_numpy(ids.astype(np.int64))
    walk = SideWalker(frame, LENGTH, Estimator(), MotionOnly(recursive), check=False).walk(origin, range(4, 0, -1))
    for _, state, motion in walk:
        for rider in (picture, labels, instances):
            rider.step(motion)
        step = map_from_flow(motion.flow)
        image = warp_image(image, step) if recursive else warp_image(origin.image, state.sampling_map)
        if recursive:
            bits = warp_labels(bits, step)
        else:
            bits = warp_labels(torch.from_numpy(ids.astype(np.int64)), state.sampling_map)
        assert torch.equal(picture.on(state), image) and image.dtype == torch.uint8
        assert torch.equal(labels.on(state), state.labels)
        assert np.array_equal(instances.on(state).numpy().view(np.uint16), bits.numpy())
