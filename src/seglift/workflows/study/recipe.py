"""What a recipe of ``seglift study`` can say, and the trainings that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, read_yaml
from seglift.workflows.train.recipe import TrainRecipe

SEED = "fit.seed"
KIND = "segmentation"
METRICS = ("miou", "pixel_accuracy", "mean_accuracy", "boundary_f")
"""Scores of scores.json that are one number, larger being better."""
OWN_FILES = ("class_index", "lock", "study.json", "study.csv", "study.png", "summary.json")
"""What a study writes beside the folders of its policies."""


@dataclass(frozen=True)
class StudyRecipe:
    """Which trainings to compare."""

    recipe: str | dict[str, Any]
    """A recipe of `seglift train`: a file (relative to the study's), or its values."""
    policies: dict[str, dict[str, Any]]
    """What each policy changes in the recipe, by dotted name; ``{}`` changes nothing."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every policy runs with each of them, so that runs pair up."""
    baseline: str | None = None
    """The policy that others are compared with; the first by default."""
    oracle: str | None = None
    """The policy that has all there is to gain: what others gain is also given as a share of what it gains."""
    metric: str = "miou"
    """Name of the score in scores.json: miou, pixel_accuracy, mean_accuracy or boundary_f."""
    runs: dict[str, Any] = field(default_factory=dict)
    """What all policies change in the recipe, by dotted name."""

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
            raise UserError("policies or runs set fit.seed, which the study's seeds set; leave it out there")
        if self.metric not in METRICS:
            raise UserError(f"the metric is {self.metric!r}, expected one of {', '.join(METRICS)}; choose one of them")

    @property
    def reference(self) -> str:
        """Name of the policy that the others are compared with."""
        return self.baseline or next(iter(self.policies))


@dataclass(frozen=True)
class Policies:
    """The trainings of a study, but for their seeds.

    Attributes:
        values: recipe of each policy, as plain values, by its name.
        recipes: the same, parsed, with the first seed.
    """

    values: dict[str, dict[str, Any]]
    recipes: dict[str, TrainRecipe]

    @property
    def sources(self) -> dict[str, set[str]]:
        """What each calls its sources of data."""
        return {name: {source.called for source in recipe.sources} for name, recipe in self.recipes.items()}

    def with_seed(self, policy: str, seed: int) -> dict[str, Any]:
        """The recipe of one training."""
        return with_overrides(self.values[policy], {SEED: seed})


def read_study(path: Path, overrides: Mapping[str, Any]) -> tuple[StudyRecipe, Policies]:
    """A study and the recipe of every policy, all of them parsed.

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
    base = study.recipe if isinstance(study.recipe, dict) else read_yaml(path.parent / study.recipe)
    if _sets_seed(overrides):
        raise UserError(f"--set fit.seed=..., expected no seed beside those of the study; change seeds in {path}")
    void = [name for name in overrides if name in study.runs]
    if void:
        raise UserError(f"--set {void[0]}=... would be without effect, {path} sets it in runs; change it there")
    shared = with_overrides(with_overrides(base, overrides), study.runs)
    values, recipes = {}, {}
    for name, changes in study.policies.items():
        values[name] = with_overrides(shared, changes)
        kind = values[name].get("kind", KIND)
        if kind != KIND:
            raise UserError(
                f"{path}, policy {name}: a study compares trainings of kind {KIND}, this one is of {kind}; train each"
                " by `seglift train`"
            )
        seeded = with_overrides(values[name], {SEED: study.seeds[0]})
        recipe = parse_recipe(seeded, TrainRecipe, f"{path}, policy {name}")
        if recipe.val is None and recipe.test is None:
            raise UserError(f"{path}, policy {name}: nothing to score on, expected val or test; give it one of them")
        recipes[name] = recipe
    return study, Policies(values, recipes)


def _sets_seed(changes: Mapping[str, Any]) -> bool:
    whole = changes.get("fit")
    return SEED in changes or (isinstance(whole, Mapping) and "seed" in whole)
