"""Errors of estimates against numpy."""

from __future__ import annotations

import doctest
import functools
import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.metrics import estimate_error as module
from seglift.metrics.estimate_error import EstimateError

PAIRS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


def added(pairs):
    return functools.reduce(operator.add, (EstimateError.of(*pair) for pair in pairs), EstimateError())


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 1 and result.failed == 0


@given(PAIRS, st.integers(0, 12))
def test_equal_to_numpy_in_any_parts(whole, cut):
    values = np.array(whole) / 20
    error = added(values[:cut].tolist()) + added(values[cut:].tolist())
    estimate, truth = values.T
    assert error.frames == len(values)
    assert error.mean_absolute_error() == pytest.approx(np.abs(estimate - truth).mean(), abs=1e-12)
    assert error.bias() == pytest.approx((estimate - truth).mean(), abs=1e-12)
    if np.ptp(estimate) > 0 and np.ptp(truth) > 0:
        assert error.correlation() == pytest.approx(np.corrcoef(estimate, truth)[0, 1], abs=1e-9)


def test_nothing_varies():
    assert all(map(math.isnan, (added([]).mean_absolute_error(), added([]).bias(), added([]).correlation())))
    for pairs in ([(0.1, 0.3)], [(0.1, 0.3)] * 7, [(0.1, 0.3), (0.1, 0.7)], [(0.4, 0.3), (0.1, 0.3)]):
        assert math.isnan(added(pairs).correlation())
    assert added([(0.25, 0.5)]).bias() == -0.25


def test_perfect_and_opposite():
    assert added([(0.1, 0.1), (0.3, 0.3), (0.7, 0.7)]).correlation() == pytest.approx(1.0)
    assert added([(0.1, 0.9), (0.3, 0.7), (0.7, 0.3)]).correlation() == pytest.approx(-1.0)
