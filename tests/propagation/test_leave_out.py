"""A keyframe's labels on another frame, against the steps taken one by one."""

from __future__ import annotations

import pytest
import torch

from seglift.propagation.evidence import observe
from seglift.propagation.leave_out import carried_to
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.spill import Spill
from seglift.propagation.state import FramePair, estimate_pair, keyframe_state
from seglift.propagation.traverse import Walker


@pytest.fixture
def walker(estimator, frame, make_origin):
    def make(**options):
        return Walker(frame, lambda index: make_origin(seed=index), estimator, MotionOnly(), length=40, **options)

    return make


@pytest.mark.parametrize(("source", "target"), [(2, 7), (7, 2), (3, 4), (1, 37), (37, 1)])
def test_the_state_is_that_of_a_walk(walker, estimator, frame, make_origin, tmp_path, source, target):
    found = carried_to(walker(), source, target, Spill(tmp_path / "walk"))
    ahead = 1 if target > source else -1
    state = keyframe_state(make_origin(seed=source))
    for index in range(source, target, ahead):
        motion, _ = estimate_pair(estimator, frame(index), frame(index + ahead))
        state = MotionOnly().step(state, FramePair(frame, index, index + ahead), motion)
    expected = observe(state, frame(target))
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.trace, expected.trace)
    assert torch.equal(found.photometric, expected.photometric)
    assert found.distance == abs(target - source)
    assert not (tmp_path / "walk").exists()


@pytest.mark.parametrize(("options", "source", "target"), [
    ({"max_distance": 4}, 2, 7), ({"max_distance": 4}, 7, 2), ({"forward": False}, 2, 7), ({"backward": False}, 7, 2),
])  # fmt: skip
def test_out_of_reach(walker, tmp_path, options, source, target):
    assert carried_to(walker(**options), source, target, Spill(tmp_path)) is None
