"""How long the trainings of rounds are, known before any of them begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from seglift.base.counts import counted
from seglift.workflows.rounds.networks import Model
from seglift.workflows.rounds.trainings import Values, parsed_training


class TrainingLength(NamedTuple):
    """A training of the rounds.

    Attributes:
        model: what comes of it.
        steps: of its optimiser.
    """

    model: Model
    steps: int


def steps_of(values: Values, images: int) -> int:
    """Optimiser steps of a training.

    Args:
        values: its recipe.
        images: that it is trained on.

    Raises:
        UserError: the recipe is wrong.
    """
    recipe = parsed_training(values, "training")
    return recipe.fit.resolved(math.ceil((recipe.epoch_size or images) / recipe.batch)).steps


def describe_lengths(trainings: Sequence[TrainingLength], seeds: int) -> str:
    """The trainings of one seed with their steps, and how many there are of all seeds, in one line."""
    steps = seeds * sum(training.steps for training in trainings)
    each = [f"{training.model.title} {training.steps}" for training in trainings]
    total = f"{counted(seeds * len(trainings), 'training')}, {counted(steps, 'step')} in total"
    return f"{total}: {', '.join(each)}{' with each seed' if seeds > 1 else ''}"
