"""The items of one or several datasets as training samples, read when asked for, in the train ids of one space."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.dataset import Dataset, Item
from seglift.labels.reading import read_gray
from seglift.labels.space import Array8
from seglift.training.images.sample import Sample
from seglift.video.fingerprint import sample_fingerprint

ADVICE = "--skip-corrupt leaves such images out, `seglift check` lists them all"
ELSEWHERE = re.compile(r",? or choose another --space$")
"""Advice of those who read labels that does not fit a training."""


class DatasetSamples(Sequence[Sample]):
    """Every labelled item of the datasets, one dataset after the other. A confidence map weights an item's pixels.

    Args:
        datasets: of one label space (see ``in_space``), each with a labelled item.
        skip_corrupt: a file that lists the images of unreadable items, one a line. Asked for by its number, an item
            that can't be read gives the next that can; :meth:`find` substitutes nothing. None: an unreadable item is
            an error.
        instances: read the objects of the items, too, where there are instance files. A pixel of which these give
            another evaluated class than the label is of no object; that there are such pixels is said once.

    Raises:
        UserError: a dataset has no labelled item.
    """

    def __init__(self, datasets: Sequence[Dataset], skip_corrupt: Path | None = None, instances: bool = False) -> None:
        self.skip_corrupt, self.instances = skip_corrupt, instances
        self._told = False
        self._places: list[tuple[Dataset, Item]] = []
        self._numbers: list[dict[int, int]] = []
        for dataset in datasets:
            labelled = [number for number, item in enumerate(dataset.items) if item.label is not None]
            if not labelled:
                raise UserError(
                    f"{dataset.name} has no labelled image in split {dataset.split} at {dataset.root}, expected some;"
                    " choose another split or folder"
                )
            self._numbers.append({number: len(self._places) + n for n, number in enumerate(labelled)})
            self._places += [(dataset, dataset.items[number]) for number in labelled]

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
        if not 0 <= number < len(self):
            raise IndexError(f"sample {number} of {len(self)}")
        for step in range(len(self)):
            sample = self.find((number + step) % len(self))
            if sample is not None:
                return sample
        raise UserError("not one image of the training data can be read; look at the files that are named above")

    def find(self, number: int) -> Sample | None:
        """Sample ``number``; None, once it is listed, where it cannot be read and corrupt items are skipped.

        Raises:
            UserError: it cannot be read, and corrupt items are not skipped.
        """
        dataset, item = self._places[number]
        try:
            return self._read(dataset, item)
        except UserError as error:
            if self.skip_corrupt is None:
                raise with_advice(error) from error
            if _list_once(self.skip_corrupt, str(item.image)):
                say(f"skipped: {error}")
        return None

    def list_unusable(self, source: int, usable: Iterable[int]) -> None:
        """Lists the labelled items of dataset ``source`` that are not among ``usable``, where corrupt ones are skipped.

        Args:
            source: number of the dataset.
            usable: numbers of its items whose labels could be read, see :class:`ClassIndex`.
        """
        if self.skip_corrupt is not None:
            for item in sorted(self._numbers[source].keys() - set(map(int, usable))):
                _list_once(self.skip_corrupt, str(self._places[self.number_of(source, item)][1].image))

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and content of all images, labels and confidence maps, and of instances.

        Files are sampled, not read whole. One that is not there counts as empty where corrupt items are skipped.
        """
        parts = []
        for dataset, item in self._places:
            sources = [item.image.fingerprint, "" if item.label is None else item.label.fingerprint]
            if item.confidence is not None:
                sources.append(partial(sample_fingerprint, item.confidence))
            if self.instances and item.instances is not None and dataset.has_instances(item):
                sources.append(partial(sample_fingerprint, item.instances))
            parts.append((dataset.space.name, item.name, *map(self._fingerprint, sources)))
        return fingerprint_values(parts)

    def _read(self, dataset: Dataset, item: Item) -> Sample:
        if item.label is None:
            raise ValueError(f"{item.name} has no label")
        image, label = item.image.read(), dataset.space.to_train(item.label.read())
        if label.shape != image.shape[:2]:
            raise UserError(
                f"{item.label} is {label.shape[1]}x{label.shape[0]}, its image is {image.shape[1]}x{image.shape[0]};"
                " expected one size: correct or remove it"
            )
        weight = None
        if item.confidence is not None:
            weight = (read_gray(item.confidence) / np.float32(255)).astype(np.float32)
            _check_size(item.confidence, weight, item, label)
        instances = dataset.read_instances(item) if self.instances else None
        if instances is None:
            return Sample(image, label, weight)
        _check_size(item.instances, instances.numbers, item, label)
        differs = dataset.space.to_train(instances.labels) != label
        if differs.any() and not self._told:
            self._told = True
            say(
                f"warning: {item.instances} has another class than its label at {np.count_nonzero(differs)} pixels, as"
                " may others; such pixels teach their label's class alone, `seglift check` lists the files"
            )
        return Sample(image, label, weight, instances=np.where(differs, 0, instances.numbers).astype(np.uint16))

    def _fingerprint(self, source: str | Callable[[], str]) -> str:
        try:
            return source if isinstance(source, str) else source()
        except UserError as error:
            if self.skip_corrupt is None:
                raise with_advice(error) from error
            return ""


def with_advice(error: UserError) -> UserError:
    """The error of an item that cannot be read, with what to do in a training; it has no option for another space."""
    text = ELSEWHERE.sub("", str(error))
    return UserError(text if text.endswith(ADVICE) else f"{text}; {ADVICE}")


def _list_once(file: Path, line: str) -> bool:
    """Adds a line unless it is there, whichever process wrote it; tells whether it was added."""
    known = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    if line not in known:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")
    return line not in known


def _check_size(file: Path | None, values: NDArray[Any], item: Item, label: Array8) -> None:
    if values.shape != label.shape:
        raise UserError(f"{file} is not of the size of {item.label}; expected one size: write it anew")
