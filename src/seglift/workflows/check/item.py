"""One item of a dataset, looked at: read once, sizes compared, ids counted, neighbours asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, Item, LabelFile, Source
from seglift.datasets.derived import IndexedLabel
from seglift.labels.image_file import open_image_file
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelClass, LabelSpace
from seglift.workflows.check.instances import look_at_instances

OFFSETS = tuple(offset for offset in range(-10, 11) if offset != 0)

Size = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """What one item shows.

    Attributes:
        size: height and width of the image, None where it cannot be read.
        pixels: int64 [num_indices], pixels of each space index; None without a label that can be counted.
        unknown: pixels of each id that the space lacks, with the label's name.
        unreadable: messages about files that cannot be read.
        sizes: messages about files whose size is not the image's.
        objects: how many single objects its instance file has; None without one that can be read.
        contradictions: messages about what the instance file says against the label.
        offsets: at which offsets there is a neighbour.
    """

    size: Size | None
    pixels: NDArray[np.int64] | None
    unknown: Mapping[int, int]
    label: str
    unreadable: tuple[str, ...]
    sizes: tuple[str, ...]
    objects: int | None
    contradictions: tuple[str, ...]
    offsets: tuple[int, ...]


def look_at(dataset: Dataset, item: Item) -> Found:
    """Reads one item's image, label and instances, each once, and the header of its confidence map."""
    unreadable: list[str] = []
    wrong_sizes: list[str] = []
    image = _read(item.image, unreadable)
    size = None if image is None else _size(image)
    pixels: NDArray[np.int64] | None = None
    unknown: dict[int, int] = {}
    label: Array8 | None = None
    if item.label is not None:
        label, unknown = _read_label(item.label, unreadable)
        if label is not None:
            wrong_sizes += _compare(str(item.label), _size(label), size)
            pixels = _count(label)[: dataset.space.num_indices]
    # A label that is resized while it is read has companions of another size.
    expected = size if item.label is None or _file_of(item.label) is item.label else None
    instances = look_at_instances(dataset, item, None if unknown else label)
    if instances.size is not None:
        wrong_sizes += _compare(str(item.instances), instances.size, expected)
    unreadable += [instances.unreadable] if instances.unreadable else []
    if item.confidence is not None:
        try:
            width, height = open_image_file(item.confidence).image.size
            wrong_sizes += _compare(str(item.confidence), (height, width), expected)
        except UserError as error:
            unreadable.append(str(error))
    offsets = tuple(offset for offset in OFFSETS if dataset.neighbour(item, offset) is not None)
    return Found(
        size,
        pixels,
        unknown,
        str(item.label),
        tuple(unreadable),
        tuple(wrong_sizes),
        instances.objects,
        instances.contradictions,
        offsets,
    )


def _read(source: Source, unreadable: list[str]) -> Array8 | None:
    try:
        return source.read()
    except UserError as error:
        unreadable.append(str(error))
        return None


def _read_label(source: Source, unreadable: list[str]) -> tuple[Array8 | None, dict[int, int]]:
    """The label, and the pixels of each id that its space lacks; those have an index behind the space's last.

    Only a file that is refused is read once more, to learn whether ids are the reason. A label that is changed while
    it is read has then no array.
    """
    try:
        return source.read(), {}
    except UserError as error:
        file = _file_of(source)
        if file is not None:
            wide = _with_every_id(file.space)
            with contextlib.suppress(UserError):
                label = replace(file, space=wide).read()
                pixels = _count(label)
                unknown = range(file.space.num_indices, wide.num_indices)
                counts = {wide.ids[index]: int(pixels[index]) for index in unknown if pixels[index]}
                return label if file is source else None, counts
        unreadable.append(str(error))
        return None, {}


def _file_of(source: Source) -> LabelFile | IndexedLabel | None:
    """The label file that a source reads, itself or below what it changes; None for labels that lie elsewhere."""
    inner = source
    while hasattr(inner, "source"):
        inner = inner.source
    return inner if isinstance(inner, LabelFile | IndexedLabel) else None


def _with_every_id(space: LabelSpace) -> LabelSpace:
    """The space with a class for each of the 256 ids; those that are added have no colour of their own."""
    color = space.classes[0].color
    missing = (value for value in range(256) if value not in space.ids)
    added = (LabelClass(value, f"\0{value}", color, IGNORE_TRAIN_ID, "void", False) for value in missing)
    return replace(space, classes=(*space.classes, *added))


def _count(label: Array8) -> NDArray[np.int64]:
    """Pixels of each value, int64 [256]; a stripe at a time, so that a huge label needs little memory."""
    rows = max(1, 2**20 // max(1, label.shape[1]))
    stripes: Iterable[Array8] = (label[first : first + rows] for first in range(0, label.shape[0], rows))
    return sum((np.bincount(stripe.ravel(), minlength=256) for stripe in stripes), np.zeros(256, np.int64))


def _size(array: NDArray[Any]) -> Size:
    return array.shape[0], array.shape[1]


def _compare(name: str, size: Size, expected: Size | None) -> list[str]:
    if expected is None or size == expected:
        return []
    return [f"{name} is {size[1]}x{size[0]}, its image is {expected[1]}x{expected[0]}"]
