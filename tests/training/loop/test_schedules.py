from __future__ import annotations

import pytest

from seglift.training.loop.schedules import SCHEDULES, multistep, one_cycle, poly, warmup, warmup_cosine


def test_poly_by_hand() -> None:
    assert poly(0.0) == 1.0
    assert poly(0.75, power=2.0) == pytest.approx(0.0625)


def test_one_cycle_rises_and_falls() -> None:
    assert one_cycle(0.0) == pytest.approx(0.04)
    assert one_cycle(0.125) == pytest.approx(0.52)
    assert one_cycle(0.25) == pytest.approx(1.0)
    assert one_cycle(0.625) == pytest.approx(0.5)
    assert one_cycle(1.0) == pytest.approx(0.0)


def test_warmup_is_a_line_then_half_a_cosine_to_the_last() -> None:
    assert 0 < warmup_cosine(0.0) <= 0.01
    assert [warmup_cosine(share) for share in (0.025, 0.05, 0.075)] == pytest.approx([0.25, 0.5, 0.75])
    assert warmup_cosine(0.1) == pytest.approx(1.0)
    assert warmup_cosine(0.55) == pytest.approx((1.0 + 0.005) / 2)
    assert warmup_cosine(1.0) == pytest.approx(0.005)
    assert warmup_cosine(0.6, rise=0.2, last=0.1) == pytest.approx(0.55)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_factors_stay_within_0_and_1(name: str) -> None:
    assert all(0.0 <= SCHEDULES[name](n / 50) <= 1.0 for n in range(51))


def test_warmup_by_hand() -> None:
    assert [warmup(step, 4, 0.2) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert warmup(0, 0, 0.2) == 1.0


def test_multistep_falls_at_its_milestones() -> None:
    """As torch's MultiStepLR does at epochs 250 and 450 of 500."""
    falls = [multistep(epoch / 500) for epoch in (0, 249, 250, 449, 450, 499)]
    assert falls == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert [multistep(share, [0.25], 0.5) for share in (0.2, 0.25)] == [1.0, 0.5]
    assert multistep(0.99, []) == 1.0
