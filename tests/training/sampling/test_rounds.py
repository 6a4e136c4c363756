from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.training.sampling.rounds import draw_rounds

LENGTHS, COUNTS, SEEDS = st.integers(1, 40), st.integers(1, 130), st.integers(0, 2**40)


@given(LENGTHS, COUNTS, SEEDS)
@settings(max_examples=150, deadline=None)
def test_over_epochs_nothing_comes_again_before_all_have_come(length: int, count: int, seed: int) -> None:
    stream = np.concatenate([draw_rounds(length, count, epoch, seed) for epoch in range(6)])
    for begin in range(0, len(stream) - length + 1, length):
        assert sorted(stream[begin : begin + length].tolist()) == list(range(length))
    assert len(set(stream[len(stream) // length * length :].tolist())) == len(stream) % length


@given(LENGTHS, COUNTS, SEEDS, st.integers(0, 50))
@settings(max_examples=300, deadline=None)
def test_within_an_epoch_all_come_equally_often_or_once_more(length: int, count: int, seed: int, epoch: int) -> None:
    drawn = draw_rounds(length, count, epoch, seed)
    often = np.bincount(drawn, minlength=length)
    assert len(drawn) == count
    assert often.min() >= count // length
    assert often.max() <= -(-count // length)


def test_long_rounds_keep_the_promise_too() -> None:
    stream = np.concatenate([draw_rounds(20_000, 3_000, epoch, 5) for epoch in range(14)])
    assert sorted(stream[:20_000].tolist()) == list(range(20_000))
    assert sorted(stream[20_000:40_000].tolist()) == list(range(20_000))
    for epoch in range(14):
        assert len(set(stream[3_000 * epoch : 3_000 * (epoch + 1)].tolist())) == 3_000


def test_rounds_and_seeds_differ() -> None:
    first = [draw_rounds(100, 20, epoch, 1) for epoch in range(10)]
    assert not np.array_equal(np.concatenate(first[:5]), np.concatenate(first[5:]))
    assert not np.array_equal(first[0], draw_rounds(100, 20, 0, 2))
    assert np.array_equal(first[7], draw_rounds(100, 20, 7, 1))


def test_every_number_comes_anywhere_in_a_round() -> None:
    places = np.stack([np.argsort(draw_rounds(4, 4, 0, seed)) for seed in range(400)])
    # 100 expected, standard deviation 9.
    assert all(60 < count < 140 for column in places.T for count in np.bincount(column, minlength=4))


def test_edges() -> None:
    assert draw_rounds(5, 0, 3, 0).shape == (0,)
    for wrong in ((0, 1, 0), (1, -1, 0), (1, 1, -1)):
        with pytest.raises(ValueError, match="expected, got"):
            draw_rounds(*wrong, seed=0)
