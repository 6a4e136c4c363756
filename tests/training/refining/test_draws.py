from __future__ import annotations

import numpy as np
import pytest

from seglift.propagation.cycle import CYCLE, KEYFRAME
from seglift.training.refining.draws import ReturnDraws, draw_return
from seglift.training.refining.planned import Return


def test_draws_are_uniform_over_sides_and_lengths_and_capped():
    returns = tuple(Return(CYCLE, side, length) for side, far in ((-1, 2), (1, 3)) for length in range(1, far + 1))
    generator = np.random.default_rng(0)
    drawn = [draw_return(returns, (1, 2, 3), 0.5, generator) for _ in range(1200)]
    shares = {one: drawn.count(one) / 1200 for one in returns}
    for one, share in shares.items():
        expected = 0.5 * {(-1, 2): 2 / 3}.get((one.side, one.length), 1 / 3)
        assert share == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_labelled_neighbours_have_their_share(share):
    returns = (Return(CYCLE, 1, 1), Return(KEYFRAME, -1, 4), Return(KEYFRAME, 1, 4))
    generator = np.random.default_rng(0)
    drawn = [draw_return(returns, (1,), share, generator).kind for _ in range(400)]
    assert drawn.count(KEYFRAME) / 400 == pytest.approx(share, abs=0.06)
    assert draw_return(returns[:1], (1,), 1.0, generator).kind == CYCLE
    assert draw_return(returns[1:], (), 0.0, generator).kind == KEYFRAME


def test_points_of_large_labels_lie_on_their_class():
    label = np.zeros((520, 600), np.uint8)
    label[100:140, 300:340] = 1
    draws = ReturnDraws([(Return(CYCLE, 1, 1),)], [label], (1,), 0.5, 1.0, seed=0)
    points = [draws.draw(0, position).point for position in range(60)]
    seen = [int(label[point]) for point in points]
    assert 15 < sum(seen) < 45
    assert len(set(points)) > 20
