"""A dataset whose labels are read as those of another label space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from seglift.base.progress import say
from seglift.datasets.dataset import Dataset
from seglift.datasets.derived import MappedLabel
from seglift.inference.class_mapping import ClassMapping, map_classes, normalise_name
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace

Chosen = Mapping[str, str | None]
"""What else than by name becomes of classes: a class of the other space, or None for void, by name."""


def in_space(
    dataset: Dataset, space: LabelSpace, quiet: bool = False, chosen: Chosen | None = None, called: str | None = None
) -> Dataset:
    """The dataset with its labels in ``space``: as they are, or its classes mapped by name.

    What is unmapped is unknown in the result, and said once unless ``quiet``.

    Args:
        dataset: in a space of its own.
        space: the space wanted.
        quiet: say nothing.
        chosen: which classes become others than names say, also within one space; evaluated classes of the dataset's
            space as a whole, or any single one of its classes, void included.
        called: what messages call the dataset; None for its name.

    Raises:
        UserError: the spaces share no class, or ``chosen`` names a class that there is not.
    """
    own, called, chosen = dataset.space, called or dataset.name, chosen or {}
    if own.classes == space.classes and not chosen:
        return dataset
    mapping = map_to_space(own, space, called, chosen)
    lost, missing = ", ".join(mapping.unmapped_model), ", ".join(mapping.unmapped_space)
    if (lost or missing) and not quiet:
        about = f"ignored: {lost or 'none'}; never labelled there: {missing or 'none'}"
        say(f"labels of {called} become those of {space.name} by name; {about}")
    target = {channel: train_id for train_id, channels in enumerate(mapping.channels) for channel in channels}
    single = {name: own.num_train + number for number, name in enumerate(_single_classes(own, chosen))}
    train = [target.get(single.get(entry.name, entry.train_id), IGNORE_TRAIN_ID) for entry in own.classes]
    table = tuple(space.from_train(np.array([train], np.uint8))[0].tolist())
    items = tuple(
        replace(item, label=None if item.label is None else MappedLabel(item.label, table)) for item in dataset.items
    )
    before = dataset.instance_table or range(len(table))
    return replace(
        dataset,
        space=space,
        items=items,
        instance_space=dataset.instance_space or own,
        instance_table=tuple(table[index] for index in before),
    )


def map_to_space(own: LabelSpace, space: LabelSpace, called: str, chosen: Chosen | None = None) -> ClassMapping:
    """What the classes of a space become in another: its train ids, then those classes that are ``chosen`` singly.

    Args:
        own: space of the labels.
        space: the space wanted.
        called: what messages call the data.
        chosen: as for :func:`in_space`.

    Raises:
        UserError: as :func:`in_space`.
    """
    chosen = chosen or {}
    return map_classes([*own.train_names, *_single_classes(own, chosen)], space, f"the data set {called}", chosen)


def _single_classes(own: LabelSpace, chosen: Chosen) -> list[str]:
    """Chosen classes of a space that are void, or share their train id with the class that names it."""
    asked = {normalise_name(name) for name in chosen}
    named = {normalise_name(name) for name in own.train_names}
    return [entry.name for entry in own.classes if normalise_name(entry.name) in asked - named]
