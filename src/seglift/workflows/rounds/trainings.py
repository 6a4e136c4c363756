"""The trainings of rounds as recipes of ``seglift train`` on the data of the rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, plain_values
from seglift.workflows.rounds.kinds import KINDS, count_parameters, kind_of
from seglift.workflows.train.recipe import HeldOutSource, ImageTrainRecipe

GIVEN = ("train", "val", "test", "space")
"""What the rounds say themselves, whatever the recipe of a training says."""
Values = dict[str, Any]


@dataclass(frozen=True)
class FineTune:
    """How a network goes on with human labels; the papers say neither how long nor how fast."""

    steps: int = 10000
    """Optimiser steps."""
    learning_rate_factor: float = 0.1
    """The learning rate, as a multiple of that of the training before."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.steps < 1:
            raise UserError(f"fine_tune.steps is {self.steps}, expected at least 1 (fine_tune: null drops it)")
        if not 0 < self.learning_rate_factor < math.inf:
            raise UserError(f"fine_tune.learning_rate_factor is {self.learning_rate_factor}, expected above 0")


def source_values(source: HeldOutSource, root: Path) -> Values:
    """A source of a training's recipe that is used as it lies in ``root``."""
    return {name: value for name, value in plain_values(source).items() if name != "share"} | {"root": str(root)}


def drawn_around(sources: Sequence[Values], classes: Sequence[str] | None) -> list[Values]:
    """The sources with crops drawn around ``classes``; None changes nothing."""
    more = {} if classes is None else {"centroid_classes": list(classes)}
    return [{**source, **more} for source in sources]


def training(
    recipe: Mapping[str, Any], train: Sequence[Values], held_out: Mapping[str, Values], seed: int, **more: Any
) -> Values:
    """A training's recipe on the data of the rounds.

    Args:
        recipe: plain values, of which what :data:`GIVEN` names is replaced.
        train: its sources.
        held_out: ``val`` and ``test``, as far as there are.
        seed: of all its random choices.
        more: values that stand above the recipe's.
    """
    own = {name: value for name, value in recipe.items() if name not in GIVEN}
    return {**with_overrides(own, {"fit.seed": seed}), "train": list(train), **held_out, **more}


def fine_tuning(values: Mapping[str, Any], how: FineTune, weights: Path) -> Values:
    """A training's recipe for going on from ``weights`` with human labels."""
    rate = parsed_training(values, "fine_tune").fit.learning_rate * how.learning_rate_factor
    fit = {"fit.steps": how.steps, "fit.epochs": None, "fit.learning_rate": rate}
    return {**with_overrides(values, fit), "start": str(weights), "new_head": False}


def parsed_training(values: Mapping[str, Any], where: str) -> ImageTrainRecipe:
    """A recipe of ``seglift train``, checked; data that the rounds give need not be there.

    Raises:
        UserError: it is wrong, of a kind that rounds do not train, or names a label space of its own.
    """
    if values.get("space") is not None:
        raise UserError(f"{where} has a space, but that of the labelled data is everybody's; drop it there")
    placeholder = {"train": [{"dataset": "folder"}]}
    own = {name: value for name, value in values.items() if name not in GIVEN}
    return parse_recipe({**own, **placeholder}, KINDS[kind_of(values, where)].recipe, where)


def shaping(values: Mapping[str, Any], where: str) -> Values:
    """What shapes the weights of a training, its data and seed aside, with every default spelt out.

    Raises:
        UserError: as :func:`parsed_training`.
    """
    parsed = parsed_training(values, where)
    every = plain_values(parsed) | {"fit": {**parsed.fit.shaping(), "seed": None}}
    return {name: value for name, value in every.items() if name not in GIVEN}


def count_network(recipe: ImageTrainRecipe, classes: int) -> int:
    """Parameters of a recipe's network for so many classes.

    Raises:
        UserError: there is no such network.
    """
    return count_parameters(recipe.network.resolved(classes))


def network_name(recipe: ImageTrainRecipe) -> str:
    """What a recipe trains, for a person."""
    encoder = recipe.network.arguments.get("encoder")
    return recipe.network.architecture + (f" ({encoder})" if encoder else "")
