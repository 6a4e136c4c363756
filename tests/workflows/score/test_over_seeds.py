from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.workflows.score.over_seeds import summarise


def test_pairs_cancel_what_the_seed_does_to_both():
    """The seeds differ by 10 points, the policies by 1 in every pair: unpaired it would drown."""
    rows = summarise({"a": {0: 0.4, 1: 0.5, 2: 0.6}, "b": {0: 0.41, 1: 0.511, 2: 0.609}}, "a")
    assert rows[0].verdict == "baseline"
    assert rows[1].difference == pytest.approx(0.01)
    assert rows[1].verdict == "better"


def test_a_difference_below_two_standard_errors_is_none():
    rows = summarise({"a": {0: 0.4, 1: 0.5}, "b": {0: 0.45, 1: 0.5}}, "a")
    assert rows[1].difference == pytest.approx(0.025)
    assert rows[1].error == pytest.approx(0.025)
    assert rows[1].verdict == "no difference"


def test_one_seed_says_nothing():
    rows = summarise({"a": {0: 0.4}, "b": {0: 0.9}, "c": {5: 0.9}, "d": {}}, "a")
    assert [row.policy for row in rows] == ["a", "b", "c"]
    assert [row.verdict for row in rows] == ["baseline", "too few seeds", "too few seeds"]
    assert rows[0].deviation is None
    assert rows[2].difference is None


def test_worse_is_said():
    assert summarise({"a": {0: 0.5, 1: 0.52}, "b": {0: 0.4, 1: 0.43}}, "a")[1].verdict == "worse"


def test_share_of_the_oracles_gain_on_common_seeds():
    scores = {"a": {0: 0.5, 1: 0.5, 2: 0.1}, "b": {0: 0.51, 1: 0.53, 7: 0.9}, "best": {0: 0.54, 1: 0.56, 2: 0.9}}
    rows = {row.policy: row.share for row in summarise(scores, "a", "best")}
    assert rows == {"a": None, "b": pytest.approx(0.4), "best": None}
    assert [row.share for row in summarise(scores, "a")] == [None] * 3
    assert summarise({"a": {0: 0.5}, "b": {0: 0.6}, "best": {0: 0.5}}, "a", "best")[1].share is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6))
def test_numbers_equal_numpys(pairs):
    first = {seed: a for seed, (a, _) in enumerate(pairs)}
    second = {seed: b for seed, (_, b) in enumerate(pairs)}
    rows = summarise({"a": first, "b": second}, "a")
    values = np.array(pairs)
    differences = values[:, 1] - values[:, 0]
    assert rows[1].mean == pytest.approx(values[:, 1].mean())
    assert rows[1].deviation == pytest.approx(values[:, 1].std(ddof=1), abs=1e-12)
    assert rows[1].difference == pytest.approx(differences.mean(), abs=1e-12)
    assert rows[1].error == pytest.approx(differences.std(ddof=1) / math.sqrt(len(pairs)), abs=1e-12)
