"""The data of a recipe, opened, in one label space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seglift.base.progress import say
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.dataset import Dataset
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.images.in_space import in_space
from seglift.training.loop.processes import is_first_process
from seglift.workflows.recipes.overrides import check_roots, root_of
from seglift.workflows.train.recipe import HeldOutSource
from seglift.workflows.train.record import RecordedRecipe, TrainingRecord


class DataRecipe(RecordedRecipe, Protocol):
    """A recipe that names labelled data sets, whatever it trains."""

    @property
    def train(self) -> Sequence[HeldOutSource]:
        """Where training images come from."""

    @property
    def val(self) -> HeldOutSource | None:
        """Images that choose the best weights."""

    @property
    def test(self) -> HeldOutSource | None:
        """Images on which the result is scored."""

    @property
    def space(self) -> str | None:
        """Label space to learn; None takes that of the first source."""

    @property
    def sources(self) -> Sequence[HeldOutSource]:
        """Those of training, then those that are held out, then those that are only mixed from."""


@dataclass(frozen=True)
class TrainingData:
    """The opened data of a recipe, in one label space."""

    space: LabelSpace
    train: tuple[Dataset, ...]
    val: Dataset | None
    test: Dataset | None
    mix_from: tuple[Dataset, ...] = ()

    @property
    def by_use(self) -> list[tuple[str, Dataset]]:
        """Every dataset with what it is for: train, val, test or mix_from."""
        held_out = [(use, dataset) for use, dataset in (("val", self.val), ("test", self.test)) if dataset is not None]
        mixed = [("mix_from", dataset) for dataset in self.mix_from]
        return [*(("train", dataset) for dataset in self.train), *held_out, *mixed]

    def record(self, recipe: DataRecipe) -> TrainingRecord:
        """What is kept beside the weights of ``recipe``."""
        about = {
            "space": self.space.name,
            "classes": list(self.space.train_names),
            "sources": [
                {"use": use, "dataset": part.name, "split": part.split, "root": str(part.root), "images": len(part)}
                for use, part in self.by_use
            ],
        }
        names = [item.name for dataset in (*self.train, *self.mix_from) for item in dataset.items]
        return TrainingRecord(recipe, names, tuple(dataset.root for _, dataset in self.by_use), about)


def open_data(recipe: DataRecipe, roots: Mapping[str, Path], quiet: bool = False) -> TrainingData:
    """Opens every source of a recipe; the first process says what the data sets left out, unless it is to be ``quiet``.

    Raises:
        UserError: a folder is missing or is not of its data set, a split has no labelled image, or classes do not fit
            together.
    """
    check_roots(roots, {source.called for source in recipe.sources})
    opened = [_open(source, roots) for source in recipe.sources]
    space = opened[0].space if recipe.space is None else get_space(recipe.space)
    quiet = quiet or not is_first_process()
    mapped = [
        in_space(dataset, space, quiet, source.classes, source.called)
        for source, dataset in zip(recipe.sources, opened, strict=True)
    ]
    for dataset in mapped:
        DatasetSamples([dataset])
        for note in () if quiet else (*dataset.problems, *dataset.notes):
            say(f"{dataset.name} {dataset.split}: {note}")
    train, rest = mapped[: len(recipe.train)], mapped[len(recipe.train) :]
    val = None if recipe.val is None else rest.pop(0)
    test = None if recipe.test is None else rest.pop(0)
    return TrainingData(space, tuple(train), val, test, tuple(rest))


def num_labelled(dataset: Dataset) -> int:
    """How many of its items have a label."""
    return sum(item.label is not None for item in dataset.items)


def _open(source: HeldOutSource, roots: Mapping[str, Path]) -> Dataset:
    return open_dataset(source.dataset, root_of(source.called, source.root, roots), source.split, source.options)
