"""What a recipe of ``seglift study`` can say, and the runs that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, read_yaml
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS
from seglift.workflows.study.costs import check_costs
from seglift.workflows.study.kinds import StudyKind, kind_of, read_inner

SEEDS = ("fit.seed", "seeds")
"""Where recipes say their seeds."""
OWN_FILES = (
    *("class_index", "lock", "locks", "study.json", "study.csv", "study.png", "summary.json", "classes.csv"),
    "budget.png",
)
"""What a study writes beside the folders of its policies."""


@dataclass(frozen=True)
class StudyRecipe:
    """What to compare."""

    recipe: str | dict[str, Any]
    """A recipe of `seglift train`, `selftrain` or `coarse2fine`: a file (relative to the study's), or its values."""
    policies: dict[str, dict[str, Any]]
    """What each policy changes in the recipe, by dotted name; ``{}`` changes nothing."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every policy runs with each of them, so that runs pair up."""
    baseline: str | None = None
    """The policy that others are compared with; the first by default."""
    oracle: str | None = None
    """The policy that has all there is to gain: what others gain is also given as a share of what it gains."""
    metrics: tuple[str, ...] = ("miou",)
    """Scores to compare by: miou, pixel_accuracy, mean_accuracy, boundary_f; of panoptic networks also pq, pq_things,
    pq_stuff, ap, ap50."""
    runs: dict[str, Any] = field(default_factory=dict)
    """What all policies change in the recipe, by dotted name."""
    hours: dict[str, float] = field(default_factory=dict)
    """Hours of annotation that a policy needs; or in their place `cost`."""
    cost: dict[str, dict[str, float]] = field(default_factory=dict)
    """Number of images that a policy needs labelled, by kind of label: fine, fine_bdd100k, coarse, synthetic, or kinds
    of `minutes`."""
    minutes: dict[str, float] = field(default_factory=dict)
    """Minutes for one image by kind of label, where they are others than Das et al.'s (WACV 2023)."""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Policies that one line connects in the plot over hours, by the name of the line."""
    line: str | None = None
    """The policy whose score is a level line in that plot."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if not self.policies or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UserError("a study needs at least one policy and one seed, and each seed once; correct the recipe")
        wrong = [name for name in self.policies if not name or "/" in name or name.startswith(".") or name in OWN_FILES]
        if wrong:
            raise UserError(f"a policy is called {wrong[0]!r}, expected a plain folder name of its own; rename it")
        if self.baseline is not None and self.baseline not in self.policies:
            raise UserError(f"the baseline {self.baseline!r} is none of {', '.join(self.policies)}; correct it")
        if self.oracle is not None and (self.oracle not in self.policies or self.oracle == self.reference):
            others = ", ".join(name for name in self.policies if name != self.reference)
            raise UserError(f"the oracle is {self.oracle!r}, expected one of {others or 'more policies'}; correct it")
        if any(_sets_seed(changes) for changes in (self.runs, *self.policies.values())):
            raise UserError(
                f"policies or runs set {' or '.join(SEEDS)}, which the study's seeds set; leave it out there"
            )
        if not self.metrics or not set(self.metrics) <= SINGLE_NUMBERS.keys():
            raise UserError(
                f"metrics are {list(self.metrics)}, expected some of {', '.join(SINGLE_NUMBERS)}; correct them"
            )
        check_costs(self)

    @property
    def reference(self) -> str:
        """Name of the policy that the others are compared with."""
        return self.baseline or next(iter(self.policies))


@dataclass(frozen=True)
class Policy:
    """What one policy runs, but for the seed.

    Attributes:
        name: of the policy.
        values: its recipe, as plain values.
        kind: of the recipe.
        where: names it in messages.
        sources: what it calls its sources of data.
    """

    name: str
    values: dict[str, Any]
    kind: StudyKind
    where: str
    sources: frozenset[str]

    def with_seed(self, seed: int) -> dict[str, Any]:
        """The recipe of one run."""
        return self.kind.with_seed(self.values, seed)


def read_study(path: Path, overrides: Mapping[str, Any]) -> tuple[StudyRecipe, dict[str, Policy]]:
    """A study and its policies by name, the recipes of all of them checked.

    Args:
        path: YAML of a :class:`StudyRecipe`.
        overrides: values put at dotted names of the recipe that all policies start from; ``runs``, policies and seeds
            come after them.

    Raises:
        UserError: the study, the recipe or what a policy makes of it is wrong, a policy has nothing to score on, or an
            override would be without effect.
    """
    given = read_yaml(path)
    if "train" in given and not given.keys() & {"policies", "recipe"}:
        raise UserError(f"{path} is a recipe of one training, expected a study; use seglift train")
    study = parse_recipe(given, StudyRecipe, str(path))
    if _sets_seed(overrides):
        raise UserError(f"--set sets a seed, expected none beside those of the study; change seeds in {path}")
    void = [name for name in overrides if name in study.runs]
    if void:
        raise UserError(f"--set {void[0]}=... would be without effect, {path} sets it in runs; change it there")
    if isinstance(study.recipe, dict):
        base = read_inner(study.recipe, path.parent)
    else:
        place = path.parent / study.recipe
        base = read_inner(read_yaml(place), place.parent)
    shared = with_overrides(with_overrides(base, overrides), study.runs)
    return study, {name: _policy(name, study, shared, path) for name in study.policies}


def _policy(name: str, study: StudyRecipe, shared: Mapping[str, Any], path: Path) -> Policy:
    where = f"{path}, policy {name}"
    values = read_inner(with_overrides(shared, study.policies[name]), path.parent)
    kind = kind_of(values, where)
    recipe = kind.parse(kind.with_seed(values, study.seeds[0]), where)
    return Policy(name, values, kind, where, frozenset(source.called for source in recipe.sources))


def _sets_seed(changes: Mapping[str, Any]) -> bool:
    whole = changes.get("fit")
    return any(name in changes for name in SEEDS) or (isinstance(whole, Mapping) and "seed" in whole)
