from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from seglift.base.ahead import work_ahead


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_order_however_long_each_takes(workers: int):
    def slow(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number * number

    assert list(work_ahead(slow, range(20), workers)) == [number * number for number in range(20)]


def test_nothing_to_do():
    assert list(work_ahead(str, [], 2)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_few_items_are_taken_ahead(workers: int):
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(30):
            taken.append(number)
            yield number

    for position, result in enumerate(work_ahead(lambda number: number, items(), workers)):
        assert result == position
        assert len(taken) <= position + workers + 1


def test_workers_work_side_by_side():
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(work_ahead(lambda _: barrier.wait(), range(3), 3))) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_up_where_its_result_would(workers: int):
    def fail_at_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = work_ahead(fail_at_three, range(50), workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert list(results) == []


def test_what_has_not_begun_is_dropped_when_the_consumer_stops():
    begun: list[int] = []
    before = set(threading.enumerate())
    results = work_ahead(begun.append, range(100), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 3
    assert set(threading.enumerate()) <= before
