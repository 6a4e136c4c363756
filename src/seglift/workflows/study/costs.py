"""What the policies of a study cost: hours of annotation, and how scores are drawn over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from seglift.base.errors import UserError
from seglift.datasets.annotation_cost import MINUTES, annotation_hours


class HasCosts(Protocol):
    """What a study's recipe says of costs."""

    @property
    def policies(self) -> Mapping[str, object]:
        """By name."""

    @property
    def hours(self) -> Mapping[str, float]:
        """Hours of annotation by policy."""

    @property
    def cost(self) -> Mapping[str, Mapping[str, float]]:
        """Number of images by kind of label, by policy."""

    @property
    def minutes(self) -> Mapping[str, float]:
        """Minutes for one image by kind of label, beside the published ones."""

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Policies that one line connects, by the line's name."""

    @property
    def line(self) -> str | None:
        """The policy whose score is drawn for all hours."""


def policy_hours(study: HasCosts) -> dict[str, float]:
    """Hours of annotation of each policy that has any said, in the order of the policies.

    Raises:
        UserError: a kind of label without minutes.
    """
    minutes = {**MINUTES, **study.minutes}
    counted = {name: annotation_hours(images, minutes) for name, images in study.cost.items()}
    found = {**study.hours, **counted}
    return {name: found[name] for name in study.policies if name in found}


def check_costs(study: HasCosts) -> None:
    """Refuses, with a UserError, costs of unknown policies, twofold or impossible ones, and lines that lack them."""
    grouped = [name for names in study.groups.values() for name in names]
    for what, names in (("hours", study.hours), ("cost", study.cost), ("groups", grouped), ("line", _one(study.line))):
        unknown = [name for name in names if name not in study.policies]
        if unknown:
            raise UserError(f"{what} names {unknown[0]!r}, expected one of {', '.join(study.policies)}; correct it")
    twice = study.hours.keys() & study.cost.keys()
    if twice:
        raise UserError(f"policy {min(twice)} has hours and cost, which both say its hours; leave one of them out")
    wrong = [name for name, value in study.hours.items() if not (math.isfinite(value) and value >= 0)]
    if wrong:
        raise UserError(f"hours of {wrong[0]} are {study.hours[wrong[0]]}, expected 0 or more; correct them")
    hours = policy_hours(study)
    missing = [name for name in grouped if name not in hours]
    if missing:
        raise UserError(f"groups names {missing[0]}, which has no hours; give it hours or cost")
    if len(set(grouped)) < len(grouped):
        raise UserError("a policy is in groups twice; leave it in one line")


def lines_over_hours(study: HasCosts, done: Iterable[str]) -> dict[str, list[str]]:
    """Policies by line of the plot, each in the order of its hours; who is in no group is a line alone.

    Args:
        study: says hours and groups.
        done: policies that have a run; others are left out.
    """
    hours, known = policy_hours(study), set(done)
    grouped = {name for names in study.groups.values() for name in names}
    alone = {name: [name] for name in hours if name not in grouped and name != study.line}
    lines = {
        title: sorted((name for name in names if name in known), key=lambda name: hours[name])
        for title, names in {**study.groups, **alone}.items()
    }
    return {title: names for title, names in lines.items() if names}


def _one(name: str | None) -> list[str]:
    return [] if name is None else [name]
