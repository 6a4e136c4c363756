"""What each epoch of a training draws: class indices of its sources, and the plan over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from seglift.base.errors import UserError
from seglift.base.locks import file_lock
from seglift.datasets.class_index import ClassIndex, build_class_index
from seglift.datasets.dataset import Dataset
from seglift.labels.space import LabelSpace
from seglift.training.images.dataset_samples import with_advice
from seglift.training.loop.processes import is_first_process
from seglift.training.sampling.epoch_plan import EpochPlan, PlannedSource
from seglift.workflows.train.data import TrainingData
from seglift.workflows.train.recipe import DataSource, ImageTrainRecipe


def index_classes(recipe: ImageTrainRecipe, data: TrainingData, cache: Path, skip_corrupt: bool) -> list[ClassIndex]:
    """The class index of every training source; of several processes one reads the labels, the others what it kept.

    Args:
        recipe: says the tiles.
        data: opened.
        cache: folder that keeps the indices.
        skip_corrupt: leave out and count labels that cannot be read.

    Raises:
        UserError: a label cannot be read, or the cache cannot be written.
    """
    found = []
    for dataset in data.train:
        try:
            with file_lock(cache / "lock", wait=True):
                quiet = not is_first_process()
                found.append(build_class_index(dataset, recipe.tile, cache, skip_corrupt, quiet=quiet))
        except UserError as error:
            if skip_corrupt or str(error).startswith("cannot write"):
                raise
            raise with_advice(error) from error
        except OSError as error:
            raise UserError(
                f"cannot write the class index to {cache} ({error.strerror or error}); free space or choose another"
                " folder"
            ) from error
    return found


def unread_index(dataset: Dataset) -> ClassIndex:
    """What is known of a class index before any label is read: which items have one."""
    usable = [number for number, item in enumerate(dataset.items) if item.label is not None]
    pixels = np.zeros((len(dataset), dataset.space.num_train), np.int64)
    none = np.zeros(0, np.int32)
    return ClassIndex(
        dataset.name,
        dataset.space.train_names,
        pixels,
        np.array(usable, np.int32),
        none,
        np.zeros((0, 2), np.int32),
        none.astype(np.uint8),
        (),
        "",
    )


def plan_epochs(
    recipe: ImageTrainRecipe,
    data: TrainingData,
    index_of: Callable[[int], ClassIndex],
    quiet: bool = False,
) -> EpochPlan:
    """What each epoch draws.

    Args:
        recipe: quotas, joins, classes, size.
        data: opened.
        index_of: gives the class index of a training source by its number.
        quiet: don't say which classes are missing.

    Raises:
        UserError: impossible quotas, an unknown class, or a source that joins none.
    """
    planned = [
        PlannedSource(
            f"{source.called} {source.split}",
            index_of(number),
            quota=source.quota,
            centroid_classes=_train_ids(source, data.space),
            until_epoch=source.until_epoch,
            joins=_joined(source, recipe),
        )
        for number, source in enumerate(recipe.train)
    ]
    return EpochPlan(planned, recipe.epoch_size, recipe.balanced, recipe.fit.seed, quiet)


def _joined(source: DataSource, recipe: ImageTrainRecipe) -> str | None:
    if source.joins is None:
        return None
    for other in recipe.train:
        if other.called == source.joins and other is not source:
            return f"{other.called} {other.split}"
    raise UserError(f"{source.called} joins {source.joins}, which is no other source of the recipe; correct it")


def _train_ids(source: DataSource, space: LabelSpace) -> tuple[int, ...] | None:
    if source.centroid_classes is None:
        return None
    unknown = [name for name in source.centroid_classes if name not in space.train_names]
    if unknown:
        raise UserError(
            f"centroid_classes of {source.called} has {unknown[0]!r}, expected classes of {space.name}:"
            f" {', '.join(space.train_names)}"
        )
    return tuple(space.train_names.index(name) for name in source.centroid_classes)
