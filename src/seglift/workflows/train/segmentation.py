"""``seglift train``: a recipe, its data, a training that resumes, curves and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seglift.models.zoo import build
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.sampling.image_draws import PlannedDraws
from seglift.training.segmentation import SegmentationTask
from seglift.training.segmentation_validation import Validation
from seglift.workflows.score.run import Scores
from seglift.workflows.train.data import num_labelled
from seglift.workflows.train.folder import INDEX, SKIPPED
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.plan import index_classes, plan_epochs
from seglift.workflows.train.record import check_folder, check_place
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
    setup = set_up(values, where, options)
    if not is_first_process():
        _train(setup, out)
        return None
    done, scores = train_in_folder(
        setup.data.record(setup.recipe),
        out,
        options.overwrite,
        setup.steps,
        lambda: _train(setup, out),
        lambda weights: score_training(setup, weights, _skip_list(setup, out)),
    )
    return TrainResult(done.weights, done, scores)


def describe_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_training` would do, after the checks it begins with; no label is read and nothing written.

    Raises:
        UserError: as :func:`run_training` before it trains; what is wrong with single files comes up while training.
    """
    setup = set_up(values, where, options)
    recipe, data = setup.recipe, setup.data
    training = data.record(recipe)
    check_place(training, out)
    if not options.overwrite:
        check_folder(training, out)
    with torch.device("meta"):
        network = build(setup.network)
    size = setup.outline.size
    steps = setup.steps
    uses = {"train": "train:", "val": "validate on:", "test": "score on:"}
    lines = [
        f"{uses[use]} {num_labelled(dataset)} labelled images of {dataset.name} {dataset.split} at {dataset.root}"
        for use, dataset in data.by_use
    ]
    count = sum(parameter.numel() for parameter in network.parameters())
    lines += [
        f"network: {recipe.network.architecture}, {count / 1e6:.2f} M parameters, {data.space.num_train} classes of"
        f" {data.space.name}, weights {'from ' + recipe.start if recipe.start else 'at random'}",
        f"loss: {recipe.loss.name}; {steps} steps of {recipe.batch} crops of {recipe.crop[0]}x{recipe.crop[1]}"
        f" ({steps / setup.steps_per_epoch:.1f} epochs of {size}), on {setup.device}",
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)


def _train(setup: TrainSetup, out: Path) -> FitResult:
    recipe, data, options = setup.recipe, setup.data, setup.options
    skipped = _skip_list(setup, out)
    samples = DatasetSamples(data.train, skipped)
    indices = index_classes(recipe, data, options.cache or out / INDEX, options.skip_corrupt)
    if is_first_process():
        for number, index in enumerate(indices):
            samples.list_unusable(number, index.usable)
    plan = plan_epochs(recipe, data, indices.__getitem__, quiet=not is_first_process())
    validation = None
    if data.val is not None:
        validation = Validation(DatasetSamples([data.val], skipped), recipe.evaluation)
    task = SegmentationTask(
        samples,
        data.space,
        recipe,
        start=setup.start,
        content=samples.fingerprint(),
        draws=PlannedDraws(plan, samples),
        validation=validation,
    )
    return fit(task, recipe.fit, out, options.device)


def _skip_list(setup: TrainSetup, out: Path) -> Path | None:
    """The file that lists images which cannot be read, where these are skipped."""
    return out / SKIPPED if setup.options.skip_corrupt else None
