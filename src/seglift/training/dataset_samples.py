"""The items of one or several datasets as training samples, read when asked for, in the train ids of one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.dataset import Dataset, Item
from seglift.datasets.derived import MappedLabel
from seglift.inference.class_mapping import map_classes
from seglift.labels.reading import read_gray
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.training.sample import Sample


class DatasetSamples(Sequence[Sample]):
    """Every labelled item of the datasets, one dataset after the other. A confidence map weights an item's pixels.

    Args:
        datasets: of one label space (see :func:`in_space`), each with at least one labelled item.
        skip_corrupt: a file where unreadable items are listed, one a line; the next item that can be read takes their
            place. None: an unreadable item is an error.

    Raises:
        UserError: a dataset has no labelled item.
    """

    def __init__(self, datasets: Sequence[Dataset], skip_corrupt: Path | None = None) -> None:
        self.skip_corrupt = skip_corrupt
        self._skipped: set[str] = set()
        self._places: list[tuple[LabelSpace, Item]] = []
        self._numbers: list[dict[int, int]] = []
        for dataset in datasets:
            labelled = [number for number, item in enumerate(dataset.items) if item.label is not None]
            if not labelled:
                raise UserError(
                    f"{dataset.name} has no labelled image in split {dataset.split} at {dataset.root}, expected some;"
                    " choose another split or folder"
                )
            self._numbers.append({number: len(self._places) + n for n, number in enumerate(labelled)})
            self._places += [(dataset.space, dataset.items[number]) for number in labelled]

    def number_of(self, source: int, item: int) -> int:
        """The sample's number of item ``item`` of dataset ``source``."""
        return self._numbers[source][item]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, number: int) -> Sample: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Sample]: ...
    def __getitem__(self, number: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        if self.skip_corrupt is None:
            return _read(*self._places[number])
        for step in range(len(self)):
            space, item = self._places[(number + step) % len(self)]
            try:
                return _read(space, item)
            except UserError as error:
                self._note(self.skip_corrupt, item, error)
        raise UserError("not one image of the training data can be read; look at the files that are named above")

    def _note(self, file: Path, item: Item, error: UserError) -> None:
        if item.name not in self._skipped:
            self._skipped.add(item.name)
            say(f"skipped: {error}")
            with file.open("a", encoding="utf-8") as lines:
                lines.write(f"{item.name}\n")

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and content of all images and labels (files are sampled, not read whole)."""
        parts = []
        for space, item in self._places:
            label = "" if item.label is None else item.label.fingerprint()
            parts.append((space.name, item.name, item.image.fingerprint(), label))
        return fingerprint_values(parts)


def _read(space: LabelSpace, item: Item) -> Sample:
    if item.label is None:
        raise ValueError(f"{item.name} has no label")
    image, label = item.image.read(), space.to_train(item.label.read())
    if label.shape != image.shape[:2]:
        raise UserError(
            f"{item.label} is {label.shape[1]}x{label.shape[0]}, its image is {image.shape[1]}x{image.shape[0]};"
            " expected one size: correct or remove it"
        )
    if item.confidence is None:
        return Sample(image, label)
    weight = (read_gray(item.confidence) / np.float32(255)).astype(np.float32)
    if weight.shape != label.shape:
        raise UserError(f"{item.confidence} is not of the size of {item.label}; expected one size: write it anew")
    return Sample(image, label, weight)


def in_space(dataset: Dataset, space: LabelSpace) -> Dataset:
    """The dataset with its labels in ``space``: as they are, or its classes mapped by name.

    What is unmapped is unknown in the result, and said once.

    Raises:
        UserError: the spaces share no class.
    """
    own = dataset.space
    if own.classes == space.classes:
        return dataset
    mapping = map_classes(own.train_names, space, f"the data set {dataset.name}")
    lost, missing = ", ".join(mapping.unmapped_model), ", ".join(mapping.unmapped_space)
    if lost or missing:
        about = f"ignored: {lost or 'none'}; never labelled there: {missing or 'none'}"
        say(f"labels of {dataset.name} become those of {space.name} by name; {about}")
    target = {channel: train_id for train_id, channels in enumerate(mapping.channels) for channel in channels}
    train = [target.get(entry.train_id, IGNORE_TRAIN_ID) for entry in own.classes]
    table = tuple(space.from_train(np.array([train], np.uint8))[0].tolist())
    items = tuple(
        replace(item, label=None if item.label is None else MappedLabel(item.label, table)) for item in dataset.items
    )
    return replace(dataset, space=space, items=items)
