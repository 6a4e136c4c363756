from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.training.sampling.source_shares import resolve_quotas, round_shares


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any), st.integers(1, 20000))
def test_rounded_shares_are_exact_in_sum_and_within_one_each(weights: list[int], size: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    counts = round_shares(shares, size)
    assert sum(counts) == size
    for weight, count in zip(weights, counts, strict=True):
        exact = weight * size / sum(weights)
        assert exact - 1 < count < exact + 1
        if weight * size % sum(weights) == 0:
            assert count == weight * size // sum(weights)


def test_the_papers_shares() -> None:
    assert round_shares([0.3, 0.7], 2975) == [893, 2082]  # 892.5 and 2082.5: the first of equals is rounded up
    assert round_shares([0.3, 0.3, 0.4], 1000) == [300, 300, 400]


def test_sources_without_quota_share_the_rest_by_size() -> None:
    assert resolve_quotas("abc", [None, None, None], [100, 200, 100]) == pytest.approx([0.25, 0.5, 0.25])
    assert resolve_quotas("abc", [0.4, None, None], [100, 200, 100]) == pytest.approx([0.4, 0.4, 0.2])
    assert resolve_quotas("ab", [0.3, 0.7], [1, 1]) == pytest.approx([0.3, 0.7])


@pytest.mark.parametrize(
    ("quotas", "message"),
    [
        ([0.5, 0.6], r"quotas 0\.5 \(a\) \+ 0\.6 \(b\) add up to 1\.1, at most 1"),
        ([0.5, 0.4], r"add up to 0\.9, expected 1"),
        ([1.0, None], r"leave nothing for b"),
        ([-0.1, None], r"quota of a is -0\.1, expected 0\.\.1"),
        ([1.5, None], r"quota of a is 1\.5, expected 0\.\.1"),
        ([float("nan"), None], r"quota of a is nan, expected 0\.\.1"),
    ],
)
def test_impossible_quotas(quotas: list[float | None], message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_quotas("ab", quotas, [10, 10])
