from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.propagation import state as state_module
from seglift.propagation.state import FramePair, estimate_pair, keyframe_state, label_support


def constant_estimator(forward: tuple[float, float], backward: tuple[float, float]):
    """Flow ``forward`` where the source is darker than the target, else ``backward``."""

    def estimate(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        values = forward if source.float().mean() < target.float().mean() else backward
        return torch.tensor(values).view(1, 2, 1, 1).expand(1, 2, *source.shape[-2:]).clone()

    return estimate


def test_on_the_keyframe_everything_is_in_place(make_origin):
    origin = make_origin(5, 7)
    state = keyframe_state(origin)
    assert torch.equal(state.labels, origin.labels)
    assert state.origin is origin
    assert state.distance == 0
    assert state.photometric is None
    ys, xs = np.mgrid[:5, :7]
    assert np.array_equal(state.sampling_map[0].numpy(), np.stack([xs, ys]))
    assert not state.error.any()
    assert not state.out_of_view.any()
    assert not state.filled.any()
    assert state.filled.dtype == state.out_of_view.dtype == torch.bool


def test_states_do_not_share_their_trace(make_origin):
    first, second = keyframe_state(make_origin()), keyframe_state(make_origin())
    first.trace.add_(1.0)
    assert second.trace[0, :, 0, 0].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_out_of_view_from_half_a_share_on(make_origin):
    state = keyframe_state(make_origin(1, 3))
    state.trace[0, 3, 0] = torch.tensor([0.49, 0.5, 1.0])
    assert state.out_of_view.flatten().tolist() == [False, True, True]


def test_both_directions_of_a_pair():
    dark, bright = torch.zeros(1, 3, 6, 8, dtype=torch.uint8), torch.full((1, 3, 6, 8), 255, dtype=torch.uint8)
    onto_bright, onto_dark = estimate_pair(constant_estimator((2.0, 1.0), (1.0, -5.0)), dark, bright)
    assert onto_bright.flow[0, :, 3, 3].tolist() == [2.0, 1.0]
    assert onto_dark.flow[0, :, 3, 3].tolist() == [1.0, -5.0]
    assert torch.equal(onto_bright.error, torch.full((1, 6, 8), 5.0))  # (3, -4)
    assert torch.equal(onto_dark.error, torch.full((1, 6, 8), 5.0))


def test_each_direction_is_estimated_once(estimator, frame):
    estimate_pair(estimator, frame(3), frame(4))
    assert estimator.asked == {(3, 4): 1, (4, 3): 1}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_estimator_that_breaks_down(bad: float):
    dark, bright = torch.zeros(1, 3, 6, 8), torch.ones(1, 3, 6, 8)
    with pytest.raises(UserError, match="NaN or infinite flow"):
        estimate_pair(constant_estimator((bad, 0.0), (0.0, 0.0)), dark, bright)


def test_large_frames_have_an_error_for_every_pixel_too(monkeypatch: pytest.MonkeyPatch, estimator, frame):
    exact = [motion.error for motion in estimate_pair(estimator, frame(3), frame(4))]
    monkeypatch.setattr(state_module, "LARGE_FRAME", 12 * 16 - 1)
    sparse = [motion.error for motion in estimate_pair(estimator, frame(3), frame(4))]
    for dense, coarse in zip(exact, sparse, strict=True):
        assert coarse.shape == dense.shape
        assert not torch.equal(coarse, dense)
        assert (coarse - dense).abs().mean() < 0.3 * dense.mean()


def test_a_pair_reads_its_frames_only_when_asked(frame):
    read: list[int] = []

    def get(index: int) -> Tensor:
        read.append(index)
        return frame(index)

    pair = FramePair(get, 3, 4)
    assert read == []
    assert int(pair.target[0, 0, 0, 0]) == 4
    assert int(pair.source[0, 0, 0, 0]) == 3
    assert read == [4, 3]


def test_support_is_the_gaussian_share_of_equal_neighbours(make_origin):
    labels = make_origin(9, 11, ids=3).labels
    weights = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 0.8**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2
    padded = np.pad(labels[0].numpy(), 2, mode="edge")
    expected = np.zeros((9, 11))
    for y in range(9):
        for x in range(11):
            expected[y, x] = (weights * (padded[y : y + 5, x : x + 5] == labels[0, y, x].item())).sum()
    support = label_support(labels)
    assert support.dtype == torch.uint8
    assert np.abs(support[0].numpy() - 255 * expected).max() <= 0.5 + 1e-3
    origin = make_origin(9, 11, ids=3)
    assert torch.equal(origin.support, support)
    assert origin.support is origin.support
    assert (label_support(torch.full((2, 4, 5), 7, dtype=torch.uint8)) == 255).all()
