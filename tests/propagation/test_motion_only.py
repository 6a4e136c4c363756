from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seglift.motion.maps import map_from_flow
from seglift.propagation.motion_only import MotionOnly, carried_mask
from seglift.propagation.state import FramePair, Origin, Propagated, StepMotion, keyframe_state

VOID = 200
MOTIONS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-7, 7)), min_size=1, max_size=5)


def no_frame(index: int) -> Tensor:
    raise AssertionError(f"frame {index} was read")


def carry(propagator: MotionOnly, origin: Origin, steps: list[StepMotion]) -> Propagated:
    state = keyframe_state(origin)
    for index, motion in enumerate(steps):
        state = propagator.step(state, FramePair(no_frame, index, index + 1), motion)
    return state


def mirrored(motion: StepMotion) -> StepMotion:
    return StepMotion(motion.flow.flip(3) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1), motion.error.flip(2))


def expected_positions(motions: list[tuple[int, int]], height: int, width: int) -> tuple[np.ndarray, ...]:
    """Row and column in the keyframe, going back step by step and stopped by the border, and where that happened."""
    rows, columns = np.mgrid[:height, :width]
    left = np.zeros((height, width), bool)
    for dx, dy in reversed(motions):
        rows, columns = rows + dy, columns + dx
        left |= (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
        rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    return rows, columns, left


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("void", [None, VOID])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(motions=MOTIONS)
def test_whole_pixels_are_exact(
    make_origin, translation, recursive: bool, void: int | None, motions: list[tuple[int, int]]
):
    origin = make_origin()
    state = carry(MotionOnly(recursive, void), origin, [translation(dx, dy) for dx, dy in motions])
    rows, columns, left = expected_positions(motions, 12, 16)
    assert np.array_equal(state.trace[0, 3].numpy(), left.astype(np.float32))
    assert np.array_equal(state.out_of_view[0].numpy(), left)
    assert np.array_equal(state.sampling_map[0].numpy(), np.stack([columns, rows]))
    expected = origin.labels[0].numpy()[rows, columns]
    if void is not None:
        expected = np.where(left, void, expected)
    assert np.array_equal(state.labels[0].numpy(), expected)
    assert state.distance == len(motions)
    assert state.origin is origin


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("distance", [1, 7, 40])
def test_without_motion_labels_stay_at_any_distance(make_origin, translation, recursive: bool, distance: int):
    origin = make_origin()
    state = carry(MotionOnly(recursive, VOID), origin, [translation(0, 0)] * distance)
    start = keyframe_state(origin)
    assert torch.equal(state.labels, origin.labels)
    assert torch.equal(state.trace, start.trace)
    assert not state.filled.any()
    assert state.distance == distance


def test_sampled_once_parts_of_pixels_add_up_and_again_and_again_they_are_lost(make_origin, translation):
    origin = make_origin()
    steps = [translation(0.4, -0.4)] * 5
    labels = origin.labels[0].numpy()
    rows, columns = np.mgrid[:12, :16]
    once = carry(MotionOnly(), origin, steps).labels[0].numpy()
    # Five times 0.4 pixels are 2; inside the frame, where no border stops the walk.
    assert np.array_equal(once[2:, :-2], labels[np.maximum(rows - 2, 0), np.minimum(columns + 2, 15)][2:, :-2])
    assert np.array_equal(carry(MotionOnly(recursive=True), origin, steps).labels[0].numpy(), labels)


def test_the_worst_error_of_the_way_is_carried_along(make_origin, translation):
    first = translation(0, 0)
    first.error[0, 5, 8] = 3.0
    first.error[0, 1, 1] = 1.0
    second = translation(2, 1, error=0.25)
    second.error[0, 4, 6] = 2.0  # where the 3 arrives
    second.error[0, 9, 9] = 7.0
    state = carry(MotionOnly(), make_origin(), [first, second])
    expected = np.full((12, 16), 0.25)
    expected[4, 6], expected[9, 9] = 3.0, 7.0
    expected[0, 0] = 0.25  # the 1 would arrive at column -1
    assert np.array_equal(state.error[0].numpy(), expected)
    third = carry(MotionOnly(), make_origin(), [first, second, translation(-2, -1)])
    assert third.error[0, 5, 8] == 3.0


def test_errors_never_shrink_where_nothing_moves(make_origin, translation):
    errors = [0.5, 3.0, 1.0, 0.0]
    steps = [translation(0, 0, error=error) for error in errors]
    for count, expected in ((1, 0.5), (2, 3.0), (3, 3.0), (4, 3.0)):
        assert (carry(MotionOnly(), make_origin(), steps[:count]).error == expected).all()


def test_out_of_view_travels_and_returns(make_origin, translation):
    gone = carry(MotionOnly(), make_origin(), [translation(3, 0)])
    assert gone.out_of_view[0].all(0).tolist() == [False] * 13 + [True] * 3
    back = carry(MotionOnly(), make_origin(), [translation(3, 0), translation(-3, 0)])
    assert back.out_of_view[0].all(0).tolist() == [True] * 3 + [False] * 13
    assert not carry(MotionOnly(), make_origin(), [translation(0.4, 0)]).out_of_view.any()
    assert carry(MotionOnly(), make_origin(), [translation(0.6, 0)]).out_of_view[0].any(0).tolist() == [False] * 15 + [
        True
    ]


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_mirrored_video_gives_the_mirrored_result(make_origin, smooth_flow, recursive: bool, seed: int):
    origin = make_origin()
    steps = [StepMotion(smooth_flow((seed, step), 12, 16), torch.rand(1, 12, 16)) for step in range(3)]
    here = carry(MotionOnly(recursive), origin, steps)
    there = carry(
        MotionOnly(recursive), Origin(origin.labels.flip(2), origin.image.flip(3)), list(map(mirrored, steps))
    )
    assert torch.allclose(here.sampling_map[:, 0], 15 - there.sampling_map[:, 0].flip(2), atol=1e-4)
    assert torch.allclose(here.trace[:, 1:3], there.trace[:, 1:3].flip(3), atol=1e-4)
    agree = here.labels == there.labels.flip(2)
    assert torch.equal(here.out_of_view, there.out_of_view.flip(2))
    if recursive:  # none of these flows leads half-way between two pixels
        assert agree.all()
    else:
        tie = ((here.sampling_map % 1.0) - 0.5).abs().amin(1) < 1e-3
        assert (agree | tie).all()
        assert tie.float().mean() < 0.05


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), recursive=st.booleans(), count=st.integers(1, 4))
def test_never_a_new_label(make_origin, smooth_flow, seed: int, recursive: bool, count: int):
    origin = make_origin(seed=seed, ids=200)
    steps = [StepMotion(smooth_flow((seed, step), 12, 16) * 4, torch.zeros(1, 12, 16)) for step in range(count)]
    found = set(carry(MotionOnly(recursive), origin, steps).labels.unique().tolist())
    assert found <= set(origin.labels.unique().tolist())


def test_pictures_of_a_batch_do_not_see_each_other(make_origin, smooth_flow):
    origins = [make_origin(seed=seed) for seed in range(2)]
    flows = [[smooth_flow((seed, step), 12, 16) for step in range(2)] for seed in range(2)]
    steps = [[StepMotion(flow, torch.rand(1, 12, 16)) for flow in pair] for pair in flows]
    both = Origin(torch.cat([o.labels for o in origins]), torch.cat([o.image for o in origins]))
    together = carry(
        MotionOnly(),
        both,
        [StepMotion(torch.cat([a.flow, b.flow]), torch.cat([a.error, b.error])) for a, b in zip(*steps, strict=True)],
    )
    for item in range(2):
        alone = carry(MotionOnly(), origins[item], steps[item])
        assert torch.equal(together.labels[item], alone.labels[0])
        assert torch.equal(together.trace[item], alone.trace[0])


@pytest.mark.parametrize("recursive", [False, True])
def test_a_step_leaves_its_source_as_it_was(make_origin, translation, recursive: bool):
    state = carry(MotionOnly(recursive, VOID), make_origin(), [translation(1, 1, error=1.0)])
    state = replace(state, filled=torch.ones_like(state.filled))
    labels, trace = state.labels.clone(), state.trace.clone()
    after = MotionOnly(recursive, VOID).step(state, FramePair(no_frame, 1, 2), translation(-4, 2, error=2.0))
    assert torch.equal(state.labels, labels)
    assert torch.equal(state.trace, trace)
    assert not torch.equal(after.labels, labels)


def test_a_mask_is_carried_by_nearest_neighbour(translation):
    mask = torch.zeros(1, 12, 16, dtype=torch.bool)
    mask[0, 3, 5] = mask[0, 11, 15] = True
    carried = carried_mask(mask, map_from_flow(translation(2.4, -1.4).flow))
    expected = torch.zeros_like(mask)
    expected[0, 4, 3] = True
    assert torch.equal(carried, expected)
