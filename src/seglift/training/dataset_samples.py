"""The items of one or several datasets as training samples, read when asked for, in the train ids of one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.dataset import Dataset, Item
from seglift.inference.class_mapping import map_classes
from seglift.labels.reading import read_gray
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace, look_up
from seglift.training.sample import Sample


class DatasetSamples(Sequence[Sample]):
    """Every labelled item of the datasets, one dataset after the other.

    Labels of another space become train ids of ``space`` by class name; what stays unmapped is ignored in training and
    said once. Where an item has a confidence map, it weights the pixels.

    Args:
        datasets: each with at least one labelled item.
        space: the space to learn.
        skip_corrupt: a file where unreadable items are listed, one a line; ``self[n]`` then gives the next item that
            can be read instead. None: an unreadable item is an error.

    Attributes:
        skipped: names of the files that could not be read so far in this process.

    Raises:
        UserError: a dataset has no labelled item, or shares no class with ``space``.
    """

    def __init__(self, datasets: Sequence[Dataset], space: LabelSpace, skip_corrupt: Path | None = None) -> None:
        self.space, self.skip_corrupt = space, skip_corrupt
        self.skipped: set[str] = set()
        self._places: list[tuple[Dataset, Item]] = []
        self._tables: dict[str, Array8 | None] = {}
        for dataset in datasets:
            labelled = [(dataset, item) for item in dataset.items if item.label is not None]
            if not labelled:
                raise UserError(
                    f"{dataset.name} has no labelled image in split {dataset.split} at {dataset.root}, expected some;"
                    " choose another split or folder"
                )
            self._places += labelled
            self._tables.setdefault(dataset.space.name, train_id_table(dataset.space, space))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, number: int) -> Sample: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Sample]: ...
    def __getitem__(self, number: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        for step in range(len(self)):
            dataset, item = self._places[(number + step) % len(self)]
            try:
                return self._read(dataset, item)
            except UserError as error:
                if self.skip_corrupt is None:
                    raise
                self._note(item, error)
        raise UserError("not one image of the training data can be read; look at the files that are named above")

    def _read(self, dataset: Dataset, item: Item) -> Sample:
        if item.label is None:
            raise ValueError(f"{item.name} has no label")
        image, label = item.image.read(), dataset.space.to_train(item.label.read())
        table = self._tables[dataset.space.name]
        label = label if table is None else look_up(table, label)
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

    def _note(self, item: Item, error: UserError) -> None:
        if item.name in self.skipped or self.skip_corrupt is None:
            return
        self.skipped.add(item.name)
        say(f"skipped: {error}")
        with self.skip_corrupt.open("a", encoding="utf-8") as file:
            file.write(f"{item.name}\n")

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and content of all images and labels (files are sampled, not read whole)."""
        parts = []
        for dataset, item in self._places:
            label = "" if item.label is None else item.label.fingerprint()
            parts.append((dataset.space.name, item.name, item.image.fingerprint(), label))
        return fingerprint_values(parts)


def train_id_table(source: LabelSpace, target: LabelSpace) -> Array8 | None:
    """Look-up table uint8 [256] from train ids of ``source`` to those of ``target`` by name; None where they agree.

    Raises:
        UserError: no class in common.
    """
    if source.train_names == target.train_names:
        return None
    mapping = map_classes(source.train_names, target, f"label space {source.name}")
    table = np.full(256, IGNORE_TRAIN_ID, np.uint8)
    for train_id, channels in enumerate(mapping.channels):
        table[list(channels)] = train_id
    lost, missing = ", ".join(mapping.unmapped_model), ", ".join(mapping.unmapped_space)
    if lost or missing:
        about = f"without counterpart: {lost or 'none'}; never labelled: {missing or 'none'}"
        say(f"labels of {source.name} become those of {target.name} by name; {about}")
    return table
