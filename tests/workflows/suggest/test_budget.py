from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.workflows.suggest.budget import Budget, parse_minutes


def test_without_a_number_as_many_as_a_report_names():
    assert Budget().labels(100, "frames") == 8
    assert Budget().labels(100, "frames", usual=3) == 3
    assert Budget().labels(2, "frames") == 2


def test_hours_become_a_number():
    assert Budget(hours=10).labels(100, "frames") == 6
    assert Budget(hours=10, minutes=7).labels(100, "frames") == 85
    assert Budget(count=100).labels(100, "frames") == 100


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(count=4), "--count 4, there are 3 frames; none is chosen, ask for at most 3"),
        (Budget(hours=6, minutes=90), "--hours 6 is enough for 4 labels of 90 minutes, there are 3 frames"),
        (Budget(hours=1, minutes=90), "enough for 0 labels of 90 minutes; give more hours"),
    ],
)
def test_budgets_that_do_not_fit(budget, said):
    with pytest.raises(UserError, match=said):
        budget.labels(3, "frames")


def test_nothing_left():
    with pytest.raises(UserError, match="no frames; all is labelled"):
        Budget().labels(0, "frames")


def test_minutes_by_number_and_name():
    assert [parse_minutes(text) for text in ("fine", "fine_bdd100k", "coarse", "2.5")] == [90, 75, 7, 2.5]
    for text in ("synthetic", "0", "-3", "nan", "inf", "quick"):
        with pytest.raises(UserError, match=r"coarse \(7\)"):
            parse_minutes(text)
