from __future__ import annotations

import torch

from seglift.propagation.follow import follow_trace
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.state import FramePair, StepMotion, keyframe_state


def trace_of(make_origin, height: int = 12, width: int = 16):
    return keyframe_state(make_origin(height, width)).trace


def test_pixels_are_followed_through_whole_steps(make_origin, translation):
    trace = trace_of(make_origin)
    for error in (0.5, 3.0, 1.0):
        trace = follow_trace(trace, translation(2.0, -1.0, error=error))
    start = trace_of(make_origin)
    assert torch.equal(trace[:, 0], start[:, 0] + 6.0)
    assert torch.equal(trace[:, 1], start[:, 1] - 3.0)
    assert torch.equal(trace[:, 2], torch.full_like(trace[:, 2], 3.0))
    assert torch.equal(trace[0, 3].bool(), (start[0, 0] + 6 >= 15.5) | (start[0, 1] - 3 < -0.5))


def test_what_left_the_view_stays_out_of_view(make_origin, translation):
    trace = follow_trace(follow_trace(trace_of(make_origin), translation(5.0, 0.0)), translation(-5.0, 0.0))
    assert torch.equal(trace[:, :2], trace_of(make_origin)[:, :2])
    assert trace[0, 3].all(0).tolist() == [False] * 11 + [True] * 5


def test_following_is_the_composed_map_of_the_way_back(make_origin, smooth_flow):
    """Frames 0 to 4; the flow on frame k samples frame k + 1."""
    motions = [StepMotion(0.4 * smooth_flow((7, k), 48, 64), torch.full((1, 48, 64), float(k))) for k in range(4)]
    followed = trace_of(make_origin, 48, 64)
    for motion in motions:
        followed = follow_trace(followed, motion)
    origin = make_origin(48, 64)
    state, pair = keyframe_state(origin), FramePair(lambda _: origin.image, 1, 0)
    for motion in reversed(motions):
        state = MotionOnly().step(state, pair, motion)
    inside = (followed[:, 3] == 0) & ~state.out_of_view
    inside[:, :4] = inside[:, -4:] = inside[..., :4] = inside[..., -4:] = False
    assert inside.float().mean() > 0.5
    assert (followed - state.trace)[:, :2].abs().amax(1)[inside].max() < 0.1
    assert torch.equal(followed[:, 2], torch.full_like(followed[:, 2], 3.0))


def test_a_coarse_grid_is_every_other_pixel_of_the_whole(make_origin, smooth_flow):
    motions = [StepMotion(smooth_flow((3, k), 96, 128), torch.zeros(1, 96, 128)) for k in range(2)]
    whole = trace_of(make_origin, 96, 128)
    coarse = whole[..., ::2, ::2]
    for motion in motions:
        whole, coarse = follow_trace(whole, motion), follow_trace(coarse, motion, 2)
    inner = whole[..., ::2, ::2][..., 4:-4, 4:-4]
    assert (coarse[..., 4:-4, 4:-4] - inner)[:, :3].abs().max() < 0.05
