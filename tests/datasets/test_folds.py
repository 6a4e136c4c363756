"""Folds and shares: every name once, sizes even, groups whole."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from seglift.base.errors import UserError
from seglift.datasets.folds import kfold, share_split

NAMES = [f"{index:06d}_10" for index in range(23)]


@given(st.integers(2, 23), st.integers(0, 5))
def test_each_name_validates_in_exactly_one_fold(folds: int, seed: int) -> None:
    parts = [kfold(NAMES, folds, fold, seed) for fold in range(folds)]
    assert sorted(name for _, held in parts for name in held) == NAMES
    assert all(sorted(train + held) == NAMES for train, held in parts)
    sizes = [len(held) for _, held in parts]
    assert max(sizes) - min(sizes) <= 1


def test_folds_follow_the_seed_and_keep_the_order() -> None:
    first, again, other = (kfold(NAMES, 4, 1, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert list(first[0]) == sorted(first[0])
    assert list(first[1]) == sorted(first[1])


def test_a_group_shares_a_fold() -> None:
    groups = {name: f"drive{index % 5}" for index, name in enumerate(NAMES) if index >= 3}
    for fold in range(4):
        train, held = kfold(NAMES, 4, fold, 0, groups)
        assert not {groups.get(name, name) for name in train} & {groups.get(name, name) for name in held}
        assert 4 <= len(held) <= 8


@pytest.mark.parametrize(("folds", "fold", "what"), [(1, 0, "folds is 1"), (24, 0, "2 to 23"), (4, 4, "0 to 3")])
def test_impossible_folds(folds: int, fold: int, what: str) -> None:
    with pytest.raises(UserError, match=what):
        kfold(NAMES, folds, fold, 0)


def test_share() -> None:
    assert share_split(NAMES, 0.0, 0) == (tuple(NAMES), ())
    assert share_split(NAMES, 0.1, None) == (tuple(NAMES[:-2]), tuple(NAMES[-2:]))
    train, held = share_split(NAMES, 0.1, 0)
    assert len(held) == 2
    assert sorted(train + held) == NAMES
    assert share_split(NAMES, 0.1, 0) == (train, held) != share_split(NAMES, 0.1, 1)
    for wrong in (-0.1, 1.0):
        with pytest.raises(UserError, match="val_share"):
            share_split(NAMES, wrong, 0)
