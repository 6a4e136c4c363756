from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglift.base.errors import UserError
from seglift.datasets.balanced_choice import balanced_choice, predicted_presence, uniform_choice

TABLES = arrays(bool, st.tuples(st.integers(1, 30), st.integers(0, 6)))


def skewed(count: int = 2000, classes: int = 10, seed: int = 0) -> np.ndarray:
    """Class c is in a share of 2 ** -c of the images."""
    return np.random.default_rng(seed).random((count, classes)) < 0.5 ** np.arange(classes)


@given(TABLES, st.data())
def test_choices_are_nested_of_the_asked_sizes_and_follow_the_seed(presence: np.ndarray, data: st.DataObject) -> None:
    count = len(presence)
    labelled = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    budgets = sorted(data.draw(st.lists(st.integers(len(labelled), count), min_size=1, max_size=4)))
    seed = data.draw(st.integers(0, 5))
    for choose in (
        lambda: balanced_choice(presence, labelled, budgets, seed),
        lambda: uniform_choice(count, labelled, budgets, seed),
    ):
        choices = choose()
        assert [len(choice) for choice in choices] == budgets
        for choice, larger in itertools.pairwise(choices):
            assert choice.tolist() == larger[: len(choice)].tolist()
        assert choices[0][: len(labelled)].tolist() == labelled
        assert len(set(choices[-1].tolist())) == budgets[-1]
        assert all(np.array_equal(one, other) for one, other in zip(choices, choose(), strict=True))


@given(TABLES, st.integers(0, 5))
def test_every_addition_shows_a_class_that_was_rarest_of_those_to_be_had(presence: np.ndarray, seed: int) -> None:
    (order,) = balanced_choice(presence, [], [len(presence)], seed)
    for position, added in enumerate(order):
        to_be_had = presence[order[position:]].any(0)
        if to_be_had.any():
            counts = presence[order[:position]].sum(0)
            rarest = to_be_had & (counts == counts[to_be_had].min())
            assert (presence[added] & rarest).any()


@pytest.mark.parametrize("seed", range(3))
def test_more_even_than_a_random_choice(seed: int) -> None:
    presence = skewed(seed=seed)
    (start,) = uniform_choice(2000, [], [50], seed)
    balanced = balanced_choice(presence, start.tolist(), [100, 200, 400], seed)
    uniform = uniform_choice(2000, start.tolist(), [100, 200, 400], seed)
    for even, random in zip(balanced, uniform, strict=True):
        counts, others = presence[even].sum(0), presence[random].sum(0)
        assert counts[1:].std() / counts[1:].mean() < 0.7 * others[1:].std() / others[1:].mean()
        assert counts.min() > others.min()


def test_apart_classes_come_out_equal() -> None:
    presence = np.repeat(np.eye(4, dtype=bool), [100, 50, 20, 10], axis=0)
    choices = balanced_choice(presence, [0, 1, 2], [12, 40, 60], seed=1)
    assert presence[choices[0]].sum(0).tolist() == [3, 3, 3, 3]
    assert presence[choices[1]].sum(0).tolist() == [10, 10, 10, 10]
    assert sorted(presence[choices[2]].sum(0).tolist()) == [10, 16, 17, 17]  # no candidate is left of the last class


def test_one_budget_at_a_time_goes_on_from_what_is_chosen() -> None:
    presence = skewed(300, 5)
    (first,) = balanced_choice(presence, [], [40], seed=2)
    (second,) = balanced_choice(presence, first.tolist(), [80], seed=3)
    assert second[:40].tolist() == first.tolist()


def test_ties_are_decided_by_the_seed() -> None:
    presence = np.eye(6, dtype=bool)
    firsts = {int(balanced_choice(presence, [], [1], seed)[0][0]) for seed in range(40)}
    assert firsts == set(range(6))
    alike = np.ones((6, 1), bool)
    assert {int(balanced_choice(alike, [], [1], seed)[0][0]) for seed in range(40)} == set(range(6))
    orders = {tuple(uniform_choice(6, [], [6], seed)[0].tolist()) for seed in range(40)}
    assert len(orders) > 30


def test_presence_begins_at_a_thousandth_of_the_image() -> None:
    pixels = np.array([[9990, 10, 0], [9991, 9, 0], [0, 0, 0]])
    assert predicted_presence(pixels).tolist() == [[True, True, False], [True, False, False], [False] * 3]
    areas = np.array([20000, 9000, 100])
    assert predicted_presence(pixels, areas).tolist() == [[True, False, False], [True, True, False], [False] * 3]
    with pytest.raises(ValueError, match="expected"):
        predicted_presence(pixels, areas[:2])


@pytest.mark.parametrize(
    ("labelled", "budgets", "message"),
    [
        ([], [11], "there are 10"),
        ([1, 2, 3], [2], "3 are labelled already"),
        ([], [5, 4], "ascending"),
        ([], [], "no budget"),
    ],
)
def test_impossible_budgets(labelled: list[int], budgets: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        balanced_choice(np.ones((10, 2), bool), labelled, budgets, 0)
    with pytest.raises(UserError, match=message):
        uniform_choice(10, labelled, budgets, 0)


def test_impossible_tables() -> None:
    for labelled in ([0, 0], [10], [-1]):
        with pytest.raises(ValueError, match="different numbers"):
            balanced_choice(np.ones((10, 2), bool), labelled, [5], 0)
    with pytest.raises(ValueError, match="presence"):
        balanced_choice(np.ones(10, bool), [], [5], 0)
