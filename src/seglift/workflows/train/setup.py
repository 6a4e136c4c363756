"""Everything about a training that can be checked before it: what a run and its dry run have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset
from seglift.inference.predict import shrunk_size
from seglift.models.network import SegmentationNetwork
from seglift.training.loop.processes import is_first_process
from seglift.training.sampling.epoch_plan import EpochPlan
from seglift.training.starts.start_weights import start_weights
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe
from seglift.workflows.train.data import TrainingData, open_data
from seglift.workflows.train.device import training_device
from seglift.workflows.train.folder import SKIPPED
from seglift.workflows.train.plan import plan_epochs, unread_index
from seglift.workflows.train.recipe import ImageTrainRecipe

SIZES_LOOKED_AT = 8

Recipe = TypeVar("Recipe", bound=ImageTrainRecipe)


@dataclass(frozen=True)
class TrainOptions:
    """What the command line adds to a recipe.

    Attributes:
        roots: folder of each source by its name; under the empty name, of the only one.
        overrides: values put at dotted names of the recipe.
        device: as torch names it, or ``auto``.
        skip_corrupt: leave out and count images that cannot be read.
        overwrite: train anew where the folder holds another training.
        cache: folder for class indices that several trainings share; None keeps them with the training.
        quiet: don't say what data sets leave out, nor what of the weights to start from.
    """

    roots: Mapping[str, Path] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    skip_corrupt: bool = False
    overwrite: bool = False
    cache: Path | None = None
    quiet: bool = False


@dataclass(frozen=True)
class TrainSetup(Generic[Recipe]):
    """A training on labelled images that can begin.

    Attributes:
        recipe: as given, overrides applied.
        data: opened.
        options: of the command line.
        device: as torch names it.
        outline: the plan of its epochs, made without reading a label: sizes are right, draws are not.
        start: weights to start from, a whole state dict; None for random ones.
    """

    recipe: Recipe
    data: TrainingData
    options: TrainOptions
    device: str
    outline: EpochPlan
    start: dict[str, Tensor] | None

    @property
    def network(self) -> dict[str, Any]:
        """What ``zoo.build`` makes the network from."""
        return self.recipe.network.resolved(self.data.space.num_train)

    @property
    def held_out(self) -> Dataset | None:
        """What the result is scored on: the test data, else the validation data."""
        return self.data.test or self.data.val

    def skip_list(self, out: Path) -> Path | None:
        """The file that lists images which cannot be read, where these are skipped."""
        return out / SKIPPED if self.options.skip_corrupt else None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the last one filled up."""
        return math.ceil(self.outline.size / self.recipe.batch)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.fit.resolved(self.steps_per_epoch).steps


def set_up(
    values: Mapping[str, Any],
    where: str,
    options: TrainOptions,
    kind: type[Recipe],
    build: Callable[..., SegmentationNetwork],
    check: Callable[[Recipe, TrainingData], None],
) -> TrainSetup[Recipe]:
    """Checks recipe, data, plan, loss, device, crop, network and starting weights; reads no label, writes nothing.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        options: see there.
        kind: the recipe's dataclass.
        build: makes the network of ``recipe.network.resolved``, weights by ``seed``.
        check: refuses, with a UserError, what does not fit ``kind``; the data are opened.

    Raises:
        UserError: one of them is wrong.
    """
    if "policies" in values:
        raise UserError(f"{where} is a study, expected a recipe of one training; use seglift study")
    recipe = parse_recipe(with_overrides(values, options.overrides), kind, where)
    device = training_device(options.device, recipe.fit.precision)
    data = open_data(recipe, options.roots, options.quiet)
    outline = plan_epochs(recipe, data, lambda number: unread_index(data.train[number]), quiet=True)
    num_classes = data.space.num_train
    check(recipe, data)
    _check_crop(recipe, data)
    config, start = recipe.network.resolved(num_classes), None
    if recipe.start is None:
        with torch.device("meta"):
            build(config)
    else:
        network = build(config, seed=recipe.fit.seed)
        quiet = options.quiet or not is_first_process()
        start = start_weights(recipe.start, network, config, data.space.train_names, recipe.new_head, quiet)
    return TrainSetup(recipe, data, options, device, outline, start)


def _check_crop(recipe: ImageTrainRecipe, data: TrainingData) -> None:
    """Refuses crops of which every view would be padded; looks at a few images of each source, evenly spread."""
    sizes = [size for dataset in data.train for size in _some_sizes(dataset, recipe.short_side)]
    if not sizes:
        return
    augmentation = recipe.augmentation
    growth = augmentation.scale[1] * (1 + augmentation.aspect) ** 0.5
    if not any(
        all(crop <= round(side * growth) for crop, side in zip(recipe.crop, size, strict=True)) for size in sizes
    ):
        height, width = max(sizes, key=np.prod)
        raise UserError(
            f"crops of {recipe.crop[0]}x{recipe.crop[1]} reach outside every image even at the largest scale"
            f" {augmentation.scale[1]:g} (the largest that was looked at is {height}x{width}); make crop smaller"
        )


def _some_sizes(dataset: Dataset, short_side: int | None) -> list[tuple[int, int]]:
    """Heights and widths at which training sees a few of the labelled images; unreadable ones come up in training."""
    labelled = [item for item in dataset.items if item.label is not None]
    found = []
    for number in sorted(set(np.linspace(0, len(labelled) - 1, SIZES_LOOKED_AT).round().astype(int).tolist())):
        try:
            height, width = labelled[number].image.read().shape[:2]
        except UserError:
            continue
        found.append(shrunk_size(height, width, short_side))
    return found
