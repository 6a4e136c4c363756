"""The instance file of one item: whether it can be read, what it shows, and whether it agrees with the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, Instances, Item
from seglift.labels.image_file import open_image_file
from seglift.labels.space import Array8, LabelSpace

OTHER_SPACE = " or choose another --space"
"""Advice of those who read labels that does not fit a data set, which brings its own."""


@dataclass(frozen=True)
class FoundInstances:
    """What an instance file shows.

    Attributes:
        size: height and width, None where it cannot be read.
        objects: how many single objects it has; None of a file that cannot be read, or in an encoding without reader.
        unreadable: message about a file that cannot be read.
        contradictions: messages about what it says against its label, or against the label space.
    """

    size: tuple[int, int] | None = None
    objects: int | None = None
    unreadable: str | None = None
    contradictions: tuple[str, ...] = ()


def look_at_instances(dataset: Dataset, item: Item, label: Array8 | None) -> FoundInstances:
    """Reads the instance file of an item; of an encoding without reader the header alone.

    Args:
        dataset: of the item.
        item: has an instance file, or nothing is found.
        label: uint8 [H, W] space index of its label, None where that cannot be read or has unknown ids.
    """
    path = item.instances
    if path is None:
        return FoundInstances()
    try:
        found = dataset.read_instances(item)
        if found is None:
            width, height = open_image_file(path).image.size
            return FoundInstances((height, width))
    except UserError as error:
        return FoundInstances(unreadable=str(error).removesuffix(OTHER_SPACE))
    size = found.labels.shape[0], found.labels.shape[1]
    objects = int(np.unique(found.numbers[found.numbers > 0]).size)
    texts = [text for text in (_other_class(dataset.space, found, label), _no_thing(dataset.space, found)) if text]
    return FoundInstances(size, objects, contradictions=tuple(f"{path} has {text}" for text in texts))


def _other_class(space: LabelSpace, found: Instances, label: Array8 | None) -> str | None:
    if label is None or label.shape != found.labels.shape:
        return None
    count = np.count_nonzero(space.to_train(found.labels) != space.to_train(label))
    return f"another class than its label at {counted(int(count), 'pixel')}" if count else None


def _no_thing(space: LabelSpace, found: Instances) -> str | None:
    seen = np.unique(found.labels[found.numbers > 0]).tolist()
    names = [space.classes[index].name for index in seen if not space.classes[index].thing]
    return f"instances of {', '.join(names)}, no thing in {space.name}" if names else None
