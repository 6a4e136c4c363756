"""``seglift train`` of a panoptic network: as one of segmentation, with the instances that the data sets have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.datasets.dataset import Dataset
from seglift.models.zoo import build_panoptic
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.panoptic import PanopticTask, require_things
from seglift.training.panoptic_validation import PanopticValidation
from seglift.workflows.score.run import Scores
from seglift.workflows.train.data import TrainingData, num_labelled
from seglift.workflows.train.images import describe_images, open_images
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.panoptic_score import score_panoptic_training
from seglift.workflows.train.recipe import PanopticTrainRecipe
from seglift.workflows.train.setup import TrainOptions, TrainSetup, set_up


def run_panoptic_training(
    values: Mapping[str, Any], where: str, out: Path, options: TrainOptions
) -> tuple[FitResult, Scores | None] | None:
    """Trains what a recipe says and scores the result; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives what :func:`~seglift.workflows.train.segmentation.run_training` writes; ``scores.json`` has
            panoptic quality and instance AP, too.
        options: see there.

    Returns:
        What the training left, and its scores where there was something to score on; None in all but the first process
        under ``torchrun``.

    Raises:
        UserError: the recipe or its data are wrong, ``out`` is no folder of this training, or the training fails.
    """
    setup = _set_up(values, where, options)
    if not is_first_process():
        _train(setup, out)
        return None
    return train_in_folder(
        setup.data.record(setup.recipe),
        out,
        options.overwrite,
        setup.steps,
        lambda: _train(setup, out),
        lambda weights: score_panoptic_training(setup, weights, setup.skip_list(out)),
    )


def describe_panoptic_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_panoptic_training` would do, after the checks it begins with; no label is read, nothing written.

    Raises:
        UserError: as :func:`run_panoptic_training` before it trains; what is wrong with single files comes up while
            training.
    """
    setup = _set_up(values, where, options)
    loss = setup.recipe.loss
    terms = (
        f"{loss.semantic:g} x cross-entropy of the hardest {loss.share:.0%} + {loss.centre:g} x squared error of"
        f" centres (sigma {loss.sigma:g}) + {loss.offset:g} x error of offsets"
    )
    return describe_images(setup, out, terms)


def _set_up(values: Mapping[str, Any], where: str, options: TrainOptions) -> TrainSetup[PanopticTrainRecipe]:
    return set_up(values, where, options, PanopticTrainRecipe, build_panoptic, _check_instances)


def _check_instances(recipe: PanopticTrainRecipe, data: TrainingData) -> None:
    """Refuses data that teach no instances, or have none to score; says how many images bring classes alone."""
    require_things(data.space)
    found = sum(_num_with_instances(dataset) for dataset in data.train)
    labelled = sum(num_labelled(dataset) for dataset in data.train)
    if not found:
        names = ", ".join(f"{dataset.name} {dataset.split} at {dataset.root}" for dataset in data.train)
        raise UserError(
            f"none of the {labelled} labelled images has instances that can be read ({names}), expected some; add"
            " instance files, or train with kind: segmentation"
        )
    for use, dataset in data.by_use[len(data.train) :]:
        if not _num_with_instances(dataset):
            raise UserError(
                f"{use} ({dataset.name} {dataset.split} at {dataset.root}) has no instances that can be read, expected"
                f" some to score; add instance files, or drop {use}"
            )
    if found < labelled and is_first_process():
        say(f"{labelled - found} of {labelled} labelled images have no instances: they teach classes alone")


def _num_with_instances(dataset: Dataset) -> int:
    """How many of its labelled items have instances that can be read."""
    return sum(item.label is not None and dataset.has_instances(item) for item in dataset.items)


def _train(setup: TrainSetup[PanopticTrainRecipe], out: Path) -> FitResult:
    recipe, space = setup.recipe, setup.data.space
    images = open_images(setup, out, instances=True)
    validation = None
    if images.val is not None:
        validation = PanopticValidation(images.val, space, recipe.evaluation, recipe.segments)
    content = images.train.fingerprint()
    task = PanopticTask(images.train, space, recipe, setup.start, content, images.draws, validation)
    return fit(task, recipe.fit, out, setup.options.device)
