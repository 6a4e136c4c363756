"""What is trained in coarse-to-fine rounds: sources for recipes of ``seglift train``, and these recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seglift.workflows.coarse_to_fine.data import SYNTHETIC, Drawn
from seglift.workflows.coarse_to_fine.recipe import METHOD, CoarseToFineRounds
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.rounds.dataset_output import SPLIT
from seglift.workflows.rounds.trainings import Values, source_values, training
from seglift.workflows.train.recipe import HeldOutSource

FILLED = "filled"


class TrainPart(NamedTuple):
    """A source of a training.

    Attributes:
        values: as its recipe has it.
        synthetic: whether its images are.
        key: identifies the content; empty where nobody asks for it.
    """

    values: Values
    synthetic: bool = False
    key: str = ""


def lying_part(drawn: Drawn) -> TrainPart:
    """A source as it lies, all of it."""
    opened = drawn.opened
    asked = opened.source
    return _part(drawn, opened.given.root, asked.dataset, asked.split, asked.options, asked.classes)


def written_part(drawn: Drawn, folder: Path) -> TrainPart:
    """What is drawn of a source, as a dataset of its own, whose labels have the classes that they become."""
    return _part(drawn, folder, "folder", SPLIT, {}, {})


def simulated_part(drawn: Drawn, folder: Path) -> TrainPart:
    """A source whose labels were made coarse, all of it."""
    return _part(drawn, folder, "folder", drawn.opened.given.split, {}, drawn.opened.source.classes)


def _part(
    drawn: Drawn, root: Path, dataset: str, split: str, options: dict[str, Any], classes: dict[str, str | None]
) -> TrainPart:
    lying = HeldOutSource(dataset, split, None, drawn.opened.name, options, classes)
    return TrainPart(source_values(lying, root), drawn.opened.use == SYNTHETIC)


def filled_part(folder: Path, key: str, weigh: bool) -> TrainPart:
    """The filled labels of a round, identified by ``key``; ``weigh``: their pixels count by confidence."""
    lying = HeldOutSource("folder", SPLIT, None, FILLED, {} if weigh else {"confidence": False})
    return TrainPart(source_values(lying, folder), key=key)


def round_training(
    recipe: CoarseToFineRounds,
    parts: Sequence[TrainPart],
    held_out: Mapping[str, Values],
    seed: int,
    pool: Sequence[Values] = (),
    **more: Any,
) -> Values:
    """The training of a round as a recipe: of kind coarse_to_fine, without synthetic images of kind segmentation.

    Args:
        recipe: of the rounds.
        parts: what it learns from.
        held_out: ``val`` and ``test``, as far as there are.
        seed: of all its random choices.
        pool: sources that views are mixed from; none takes the synthetic ones of ``parts``.
        more: values that stand above the recipe's.
    """
    synthetic = [part.values["name"] for part in parts if part.synthetic]
    sources = [part.values for part in parts]
    if synthetic:
        sources = [_with_quota(part, recipe.synthetic_share, len(synthetic)) for part in parts]
        more = {"kind": METHOD, "synthetic": synthetic, "mix_from": list(pool), **beside(recipe), **more}
    return training(recipe.values, sources, held_out, seed, **more)


def _with_quota(part: TrainPart, share: float | None, count: int) -> Values:
    """A source, which as one of ``count`` synthetic ones has its part of their ``share`` of the views."""
    return {**part.values, "quota": share / count} if part.synthetic and share is not None else part.values


def mixes(recipe: CoarseToFineRounds) -> bool:
    """Whether views are mixed."""
    return bool(recipe.synthetic) and recipe.mix is not None and recipe.mix.probability > 0


def beside(recipe: CoarseToFineRounds) -> Values:
    """What a training does with synthetic images beside learning from them."""
    mix = {"probability": 0.0} if recipe.mix is None else plain_values(recipe.mix)
    weight = 0.0 if recipe.boundary is None else recipe.boundary_weight
    boundary = {} if recipe.boundary is None else {"boundary": plain_values(recipe.boundary)}
    return {"mix": mix, **boundary, "boundary_weight": weight, "match_colors": recipe.match_colors}
