"""What all trainings on labelled images do alike: draw views by the plan, and say before what would be done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from seglift.base.counts import counted
from seglift.models.zoo import build
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.loop.processes import is_first_process
from seglift.training.sampling.image_draws import PlannedDraws
from seglift.workflows.train.data import num_labelled
from seglift.workflows.train.folder import INDEX
from seglift.workflows.train.plan import index_classes, plan_epochs
from seglift.workflows.train.record import check_folder, check_place
from seglift.workflows.train.setup import Recipe, TrainSetup


@dataclass(frozen=True)
class TrainingImages:
    """The labelled images of a training, ready to be drawn.

    Attributes:
        train: to learn from.
        draws: which of them when.
        val: held out, None where the recipe has none.
    """

    train: DatasetSamples
    draws: PlannedDraws
    val: DatasetSamples | None


def open_images(setup: TrainSetup[Recipe], out: Path, instances: bool = False) -> TrainingImages:
    """Reads every label once, as far as ``out`` does not know it, and plans the epochs.

    Args:
        setup: of the training.
        out: folder of the training.
        instances: whether the samples bring instances, too.

    Raises:
        UserError: a label cannot be read, or the class index cannot be written.
    """
    recipe, data, options = setup.recipe, setup.data, setup.options
    skipped, first = setup.skip_list(out), is_first_process()
    samples = DatasetSamples(data.train, skipped, instances)
    indices = index_classes(recipe, data, options.cache or out / INDEX, options.skip_corrupt)
    if first:
        for number, index in enumerate(indices):
            samples.list_unusable(number, index.usable)
    plan = plan_epochs(recipe, data, indices.__getitem__, quiet=not first)
    val = None if data.val is None else DatasetSamples([data.val], skipped, instances)
    return TrainingImages(samples, PlannedDraws(plan, samples), val)


def describe_images(setup: TrainSetup[Recipe], out: Path, loss: str) -> str:
    """What a training would do, for a person.

    Args:
        setup: of the training.
        out: folder of the training.
        loss: what is minimised, in a few words.

    Raises:
        UserError: ``out`` may not take this training.
    """
    recipe, data = setup.recipe, setup.data
    training = data.record(recipe)
    check_place(training, out)
    if not setup.options.overwrite:
        check_folder(training, out)
    with torch.device("meta"):
        network = build(setup.network)
    uses = {"train": "train:", "val": "validate on:", "test": "score on:", "mix_from": "mix from:"}
    lines = [
        f"{uses[use]} {counted(num_labelled(dataset), 'labelled image')} of {dataset.name} {dataset.split} at"
        f" {dataset.root}"
        for use, dataset in data.by_use
    ]
    count = sum(parameter.numel() for parameter in network.parameters())
    lines += [
        f"network: {recipe.network.architecture}, {count / 1e6:.2f} M parameters,"
        f" {counted(data.space.num_train, 'class', 'classes')} of {data.space.name}, weights"
        f" {'from ' + recipe.start if recipe.start else 'at random'}",
        f"loss: {loss}; {counted(setup.steps, 'step')} of {counted(recipe.batch, 'crop')} of"
        f" {recipe.crop[0]}x{recipe.crop[1]} ({setup.steps / setup.steps_per_epoch:.1f} epochs of"
        f" {setup.outline.size}), on {setup.device}",
    ]
    return "\n".join(lines)
