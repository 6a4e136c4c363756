"""Sources that change what another source gives while it is read: classes mapped, pictures and labels resized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from seglift.base.files import fingerprint_values
from seglift.datasets.dataset import Source
from seglift.labels.image_file import open_image_file, pixels
from seglift.labels.reading import read_label
from seglift.labels.space import Array8, LabelSpace, look_up
from seglift.video.fingerprint import sample_fingerprint


@dataclass(frozen=True)
class IndexedLabel:
    """A label PNG whose palette is for people only: its indices are the raw ids, whatever the colours say.

    ``read`` gives uint8 [H, W] space index; a file without palette is read as any other label is.
    """

    path: Path
    space: LabelSpace

    def read(self) -> Array8:
        """The labels, uint8 [H, W] space index; UserError where the file cannot be read or has unknown ids."""
        file = open_image_file(self.path)
        if file.image.mode != "P":
            return read_label(self.path, self.space)
        return self.space.encode(pixels(file), str(self.path))

    def fingerprint(self) -> str:
        """64 hexadecimal digits over size and 16 blocks of the file."""
        return sample_fingerprint(self.path)

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class MappedLabel:
    """Labels of one space read as another's.

    Attributes:
        source: gives uint8 [H, W] space index of the one space.
        table: space index of the other space for each index of the one.
    """

    source: Source
    table: tuple[int, ...]

    def read(self) -> Array8:
        """The labels, uint8 [H, W] space index of the other space; UserError as the source."""
        table = np.zeros(256, np.uint8)
        table[: len(self.table)] = self.table
        return look_up(table, self.source.read())

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the source's fingerprint and the table."""
        return fingerprint_values(self.source.fingerprint(), self.table)

    def __str__(self) -> str:
        return str(self.source)


def mapped_table(space: LabelSpace, target: LabelSpace, train_of_id: Mapping[int, int]) -> tuple[int, ...]:
    """Table for :class:`MappedLabel`.

    Args:
        space: the space that labels are in.
        target: the space they are read as.
        train_of_id: train id of ``target`` for raw ids of ``space``; an id that is missing becomes unknown.
    """
    train = np.array([train_of_id.get(value, 255) for value in space.ids], np.uint8)
    return tuple(target.from_train(train[None])[0].tolist())


@dataclass(frozen=True)
class Resized:
    """A picture or label map scaled so that its longer side has ``long_edge`` pixels, larger or smaller.

    Pictures (three axes) shrink by area and grow by cubic interpolation; labels (two axes) take the nearest pixel.
    """

    source: Source
    long_edge: int

    def read(self) -> Array8:
        """The array, uint8 [h, w] or [h, w, 3] with max(h, w) = long_edge; UserError as the source."""
        array = self.source.read()
        height, width = array.shape[:2]
        scale = self.long_edge / max(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        return resize(array, size)

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the source's fingerprint and the size."""
        return fingerprint_values(self.source.fingerprint(), self.long_edge)

    def __str__(self) -> str:
        return str(self.source)


@dataclass(frozen=True)
class Fitted:
    """A picture or label map scaled to ``size`` (height, width) where it has another; interpolated as Resized is."""

    source: Source
    size: tuple[int, int]

    def read(self) -> Array8:
        """The array, uint8 [*size] or [*size, 3]; UserError as the source."""
        return resize(self.source.read(), self.size)

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the source's fingerprint and the size."""
        return fingerprint_values(self.source.fingerprint(), self.size)

    def __str__(self) -> str:
        return str(self.source)


def resize(array: Array8, size: tuple[int, int]) -> Array8:
    """A picture uint8 [H, W, 3] or label map uint8 [H, W] at ``size`` (height, width); see :class:`Resized`.

    Labels take the pixel whose square holds the centre of the new one, so that both stay aligned.
    """
    if array.shape[:2] == size:
        return array
    if array.ndim == 2:
        how = cv2.INTER_NEAREST_EXACT
    else:
        how = cv2.INTER_AREA if size[0] * size[1] < array.shape[0] * array.shape[1] else cv2.INTER_CUBIC
    resized: Array8 = cv2.resize(array, size[::-1], interpolation=how)
    return resized
