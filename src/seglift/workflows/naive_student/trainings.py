"""The trainings of rounds as recipes of ``seglift train``: teacher, student, fine-tuned student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.workflows.naive_student.data import HumanLabels
from seglift.workflows.naive_student.dataset_output import SPLIT
from seglift.workflows.naive_student.kinds import KINDS, count_parameters, kind_of
from seglift.workflows.naive_student.recipe import LabelledSource, SelftrainRecipe
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, plain_values
from seglift.workflows.train.recipe import HeldOutSource, ImageTrainRecipe

GIVEN = ("train", "val", "test", "space")
"""What the rounds say themselves, whatever the recipe of a training says."""
PSEUDO = "pseudo"
Values = dict[str, Any]


def source_values(source: HeldOutSource | LabelledSource, root: Path) -> Values:
    """A source of a training's recipe that is used as it lies in ``root``."""
    return {name: value for name, value in plain_values(source).items() if name != "share"} | {"root": str(root)}


def human_source(labels: HumanLabels, subset: Path) -> Values:
    """The human labels of a source: where they lie, or in the folder ``subset`` where not all of them are used."""
    if labels.source.share == 1:
        return source_values(labels.source, labels.dataset.root)
    return {"dataset": "folder", "name": labels.source.called, "split": SPLIT, "root": str(subset)}


def pseudo_source(folder: Path) -> Values:
    """The pseudo-labels of a round."""
    return {"dataset": "folder", "name": PSEUDO, "split": SPLIT, "root": str(folder)}


def drawn_around(sources: Sequence[Values], classes: Sequence[str] | None) -> list[Values]:
    """The sources with crops drawn around ``classes``; None changes nothing."""
    more = {} if classes is None else {"centroid_classes": list(classes)}
    return [{**source, **more} for source in sources]


def mixed(human: Sequence[Values], pseudo: Values, share: float | None) -> list[Values]:
    """What a student trains on: pseudo-labels alone, or with a share of each epoch from human labels."""
    if share is None:
        return [pseudo]
    return [
        {**pseudo, "quota": 1 - share},
        *({**source, "quota": share / len(human)} for source in human),
    ]


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


def fine_tuning(student: Mapping[str, Any], recipe: SelftrainRecipe, weights: Path) -> Values:
    """The student's recipe for going on from ``weights`` with human labels (step 4 of Alg. 1).

    Raises:
        ValueError: the recipe has no fine-tuning.
    """
    if recipe.fine_tune is None:
        raise ValueError("the recipe has no fine_tune")
    parsed = parsed_training(student, "student")
    rate = parsed.fit.learning_rate * recipe.fine_tune.learning_rate_factor
    fit = {"fit.steps": recipe.fine_tune.steps, "fit.epochs": None, "fit.learning_rate": rate}
    return {**with_overrides(student, fit), "start": str(weights), "new_head": False}


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
