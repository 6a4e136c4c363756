from __future__ import annotations

import dataclasses

import pytest

from seglift.base.errors import UserError
from seglift.workflows.study.costs import lines_over_hours, policy_hours
from seglift.workflows.study.recipe import StudyRecipe

POLICIES = {name: {} for name in ("full", "some", "coarse_2", "coarse_1", "free")}
STUDY = StudyRecipe(
    {},
    POLICIES,
    hours={"full": 4462, "some": 75},
    cost={"coarse_1": {"coarse": 500, "synthetic": 500}, "coarse_2": {"coarse": 1000, "checked": 60}},
    minutes={"checked": 3},
    groups={"coarse": ("coarse_2", "coarse_1")},
    line="full",
)


def test_hours_are_given_or_computed():
    found = policy_hours(STUDY)
    wanted = {"full": 4462, "some": 75, "coarse_2": 1000 * 7 / 60 + 3, "coarse_1": 500 * 7 / 60}
    assert found == pytest.approx(wanted) and list(found) == list(wanted)
    assert policy_hours(dataclasses.replace(STUDY, minutes={"coarse": 14, "checked": 0}))["coarse_1"] > 116


def test_lines_go_by_rising_hours_and_leave_out_what_is_not_done():
    assert lines_over_hours(STUDY, POLICIES) == {"coarse": ["coarse_1", "coarse_2"], "some": ["some"]}
    assert lines_over_hours(STUDY, ["coarse_2", "free"]) == {"coarse": ["coarse_2"]}
    assert lines_over_hours(dataclasses.replace(STUDY, line=None), ["full"]) == {"full": ["full"]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hours": {"x": 1}}, "hours names 'x', expected one of full, some"),
        ({"cost": {"x": {"fine": 1}}}, "cost names 'x'"),
        ({"line": "x"}, "line names 'x'"),
        ({"groups": {"g": ("x",)}}, "groups names 'x'"),
        ({"groups": {"g": ("free",)}}, "free, which has no hours"),
        ({"groups": {"g": ("some",), "h": ("some",)}}, "in groups twice"),
        ({"cost": {"some": {"fine": 1}}}, "some has hours and cost"),
        ({"hours": {"some": -1}}, "hours of some are -1"),
        ({"hours": {"some": float("nan")}}, "hours of some are nan"),
        ({"cost": {"free": {"golden": 1}}}, "kind 'golden'"),
    ],
)
def test_impossible_costs(values, said):
    with pytest.raises(UserError, match=said):
        dataclasses.replace(STUDY, **values)
