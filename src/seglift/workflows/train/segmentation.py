"""``seglift train`` of a segmentation network: a recipe, its data, a training that resumes, curves and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seglift.base.errors import UserError
from seglift.models.zoo import NETWORKS, PANOPTIC_NETWORKS, build
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.segmentation import SegmentationTask
from seglift.training.segmentation_validation import Validation
from seglift.workflows.score.run import Scores
from seglift.workflows.train.data import TrainingData
from seglift.workflows.train.images import describe_images, open_images
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.recipe import CoarseToFineTrainRecipe, TrainRecipe
from seglift.workflows.train.score import score_training
from seglift.workflows.train.setup import TrainOptions, TrainSetup, set_up


@dataclass(frozen=True)
class TrainResult:
    """What a training left: the best weights, and their scores where there was something to score on."""

    weights: Path
    fit: FitResult
    scores: Scores | None


def run_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> TrainResult | None:
    """Trains what a recipe says and scores the result; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives ``best.safetensors``, ``last.safetensors``, ``recipe.yaml`` (with every default spelt out),
            ``run.json``, ``metrics.csv``, ``tensorboard/``, ``curves.png``, ``scores.json`` and, where images were left
            out, ``skipped.txt``.
        options: see there.

    Returns:
        None in all but the first process under ``torchrun``.

    Raises:
        UserError: the recipe or its data are wrong, ``out`` is no folder of this training, or the training fails.
    """
    setup = _set_up(values, where, options)
    if not is_first_process():
        _train(setup, out)
        return None
    done, scores = train_in_folder(
        setup.data.record(setup.recipe),
        out,
        options.overwrite,
        setup.steps,
        lambda: _train(setup, out),
        lambda weights: score_training(setup, weights, setup.skip_list(out)),
    )
    return TrainResult(done.weights, done, scores)


def describe_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_training` would do, after the checks it begins with; no label is read and nothing written.

    Raises:
        UserError: as :func:`run_training` before it trains; what is wrong with single files comes up while training.
    """
    setup = _set_up(values, where, options)
    return describe_images(setup, out, setup.recipe.loss.name)


def _set_up(values: Mapping[str, Any], where: str, options: TrainOptions) -> TrainSetup[TrainRecipe]:
    return set_up(values, where, options, TrainRecipe, build, check_network)


def check_network(recipe: TrainRecipe | CoarseToFineTrainRecipe, data: TrainingData) -> None:
    """Refuses losses that cannot be built, and networks whose instance heads would stay untrained.

    Raises:
        UserError: one of the two.
    """
    network = recipe.network.architecture
    if network in PANOPTIC_NETWORKS:
        others = ", ".join(sorted(NETWORKS.keys() - PANOPTIC_NETWORKS.keys()))
        raise UserError(
            f"network {network} has instance heads, which kind: {recipe.kind} does not train; say kind: panoptic, or"
            f" choose one of: {others}"
        )
    classes = data.space.num_train
    recipe.loss.build(torch.ones(classes) if recipe.class_balance else None, classes)


def _train(setup: TrainSetup[TrainRecipe], out: Path) -> FitResult:
    recipe, images = setup.recipe, open_images(setup, out)
    validation = None if images.val is None else Validation(images.val, recipe.evaluation)
    content = images.train.fingerprint()
    task = SegmentationTask(images.train, setup.data.space, recipe, setup.start, content, images.draws, validation)
    return fit(task, recipe.fit, out, setup.options.device)
