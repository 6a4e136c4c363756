"""A dataset whose labels are read as those of another label space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seglift.base.progress import say
from seglift.datasets.dataset import Dataset
from seglift.datasets.derived import MappedLabel
from seglift.inference.class_mapping import map_classes
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace


def in_space(dataset: Dataset, space: LabelSpace, quiet: bool = False) -> Dataset:
    """The dataset with its labels in ``space``: as they are, or its classes mapped by name.

    What is unmapped is unknown in the result, and said once unless ``quiet``.

    Raises:
        UserError: the spaces share no class.
    """
    own = dataset.space
    if own.classes == space.classes:
        return dataset
    mapping = map_classes(own.train_names, space, f"the data set {dataset.name}")
    lost, missing = ", ".join(mapping.unmapped_model), ", ".join(mapping.unmapped_space)
    if (lost or missing) and not quiet:
        about = f"ignored: {lost or 'none'}; never labelled there: {missing or 'none'}"
        say(f"labels of {dataset.name} become those of {space.name} by name; {about}")
    target = {channel: train_id for train_id, channels in enumerate(mapping.channels) for channel in channels}
    train = [target.get(entry.train_id, IGNORE_TRAIN_ID) for entry in own.classes]
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
