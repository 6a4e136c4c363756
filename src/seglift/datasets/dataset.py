"""What every dataset gives, whatever its layout: images with labels, and the neighbours that video has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from seglift.base.counts import counted
from seglift.labels.instances import INSTANCE_READERS, Array16
from seglift.labels.packed import find_distinct
from seglift.labels.reading import read_image, read_label
from seglift.labels.space import Array8, LabelSpace
from seglift.video.fingerprint import sample_fingerprint


class Source(Protocol):
    """Where an array can be read from; holds a place, never pixels. ``str()`` of it names it in messages."""

    def read(self) -> Array8:
        """The array.

        Raises:
            UserError: it cannot be read; names the file.
        """

    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with the content; cheap (may sample the file)."""


@dataclass(frozen=True)
class ImageFile:
    """A picture in a file: ``read`` gives uint8 [H, W, 3] RGB."""

    path: Path

    def read(self) -> Array8:
        """The picture, uint8 [H, W, 3] RGB; UserError where it cannot be read."""
        return read_image(self.path)

    def fingerprint(self) -> str:
        """64 hexadecimal digits over size and 16 blocks of the file."""
        return sample_fingerprint(self.path)

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class LabelFile:
    """A label map in a file: ``read`` gives uint8 [H, W] space index."""

    path: Path
    space: LabelSpace

    def read(self) -> Array8:
        """The labels, uint8 [H, W] space index; UserError where the file cannot be read or has unknown ids."""
        return read_label(self.path, self.space)

    def fingerprint(self) -> str:
        """64 hexadecimal digits over size and 16 blocks of the file."""
        return sample_fingerprint(self.path)

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Item:
    """One image of a dataset.

    Attributes:
        name: unique within the dataset and its split; serves as the stem of what is written for it.
        image: ``read`` gives uint8 [H, W, 3] RGB.
        label: ``read`` gives uint8 [H, W] space index; None where there is none (test splits).
        instances: instance PNG in the dataset's encoding (see ``Dataset.instance_encoding``), or None.
        confidence: PNG uint8 (0..255 = 0..1) that says how far each label pixel can be trusted, or None.
        clip: name of the video it is a frame of, or None for a still.
    """

    name: str
    image: Source
    label: Source | None
    instances: Path | None = None
    confidence: Path | None = None
    clip: str | None = None


def no_neighbours(item: Item, offset: int) -> Source | None:
    """Stills have none."""
    return None


def note_unread_instances(items: Iterable[Item]) -> tuple[str, ...]:
    """A note about instance files in an encoding that has no reader; none where there are no such files."""
    count = sum(item.instances is not None for item in items)
    images = counted(count, "image")
    return (f"the instance files of {images} are in an encoding that is not read here",) if count else ()


class Instances(NamedTuple):
    """The objects of an item.

    Attributes:
        labels: uint8 [H, W] space index that the instance file gives each pixel.
        numbers: uint16 [H, W]: 1, 2, ..., no two objects alike whatever their class; 0 where a pixel belongs to no
            single object.
    """

    labels: Array8
    numbers: Array16


@dataclass(frozen=True)
class Dataset:
    """The images of one split.

    Attributes:
        name: as in ``catalogue.DATASETS``.
        root: folder it was opened from.
        split: name of the split.
        space: label space of the labels.
        items: in natural order of their names.
        neighbour: the frame ``offset`` frames after (negative: before) an item in its video, None where there is none;
            ``read`` gives uint8 [H, W, 3] RGB.
        notes: what one should know and need not mend, such as flaws of the data as published, one line each.
        problems: what was left out while opening because something is missing or wrong, one line each.
        instance_encoding: which of ``labels.instances.INSTANCE_READERS`` reads the items' instance files; None where
            none of them does.
        instance_space: label space of the instance files where it differs from that of the labels.
        instance_table: index of ``space`` for each index of ``instance_space``; empty where there is one space.
    """

    name: str
    root: Path
    split: str
    space: LabelSpace
    items: tuple[Item, ...]
    neighbour: Callable[[Item, int], Source | None] = no_neighbours
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    instance_encoding: str | None = None
    instance_space: LabelSpace | None = None
    instance_table: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def has_instances(self, item: Item) -> bool:
        """Whether :meth:`read_instances` has a file to read."""
        return item.instances is not None and self.instance_encoding in INSTANCE_READERS

    def read_instances(self, item: Item) -> Instances | None:
        """The objects of an item; None where there is no file that can be read, see :meth:`has_instances`.

        Raises:
            UserError: the file cannot be read, or has ids that the label space lacks.
        """
        if item.instances is None or self.instance_encoding not in INSTANCE_READERS:
            return None
        space = self.instance_space or self.space
        raw, number = INSTANCE_READERS[self.instance_encoding](item.instances, space)
        index = space.encode(raw, str(item.instances))
        if self.instance_table:
            index = np.array(self.instance_table, np.uint8)[index]
        found = find_distinct((raw.astype(np.int32) << 16) | number)
        single = (found.values & 0xFFFF) > 0
        numbers = found.spread(np.where(single, np.cumsum(single), 0).astype(np.uint16))
        return Instances(index, numbers.astype(np.uint16, copy=False))
