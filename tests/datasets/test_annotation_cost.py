from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.datasets.annotation_cost import annotation_hours, labels_within

FINE = {50: 75, 100: 150, 200: 300, 400: 600, 800: 1200, 1600: 2400, 2975: 4462}
COARSE = {500: 58, 1000: 116, 2000: 233, 4000: 467, 8000: 933, 19_998: 2333}


@pytest.mark.parametrize(("kind", "table"), [("fine", FINE), ("coarse", COARSE)])
def test_the_budgets_of_das_et_al_within_an_hour(kind, table):
    for images, hours in table.items():
        assert annotation_hours({kind: images}) == pytest.approx(hours, abs=1)


def test_the_full_budgets_of_das_et_al():
    assert annotation_hours({"fine": 2975, "coarse": 19_998, "synthetic": 24_966}) == pytest.approx(6795, abs=1)
    assert annotation_hours({"fine_bdd100k": 3000, "coarse": 4000}) == pytest.approx(4216, abs=1)


def test_rates_of_ones_own():
    assert annotation_hours({"corrected": 30}, {"corrected": 12}) == 6
    assert annotation_hours({}) == 0


def test_hours_become_a_number_of_labels_and_back():
    for minutes in (7.0, 75.0, 90.0, 0.1):
        for count in (1, 3, 48, 8000):
            assert labels_within(annotation_hours({"x": count}, {"x": minutes}), minutes) == count
    assert labels_within(10, 90) == 6
    assert labels_within(1, 90) == 0


@pytest.mark.parametrize(
    ("images", "minutes", "said"),
    [({"gold": 3}, {"fine": 90}, "'gold'"), ({"fine": -1}, {"fine": 90}, "below 0"), ({"a": 1}, {"a": -2}, "below 0"),
     ({"a": float("nan")}, {"a": 2}, "below 0")],
)  # fmt: skip
def test_impossible_plans(images, minutes, said):
    with pytest.raises(UserError, match=said):
        annotation_hours(images, minutes)


@pytest.mark.parametrize(("hours", "minutes"), [(0, 7), (-1, 7), (1, 0), (float("nan"), 7)])
def test_impossible_budgets(hours, minutes):
    with pytest.raises(UserError, match="above 0"):
        labels_within(hours, minutes)
