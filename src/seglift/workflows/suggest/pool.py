"""The images to choose from, and which of them are labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from seglift.base.errors import UserError
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.dataset import Item, LabelFile
from seglift.datasets.image_list import find_listed, read_image_list
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.workflows.predict.frames import list_pictures
from seglift.workflows.score.files import LabelTree, list_labels, list_predictions, pair_trees

NOTHING = "none"
"""In place of a list of labelled images: no image counts as labelled."""


@dataclass(frozen=True)
class PoolPlace:
    """Where images and labels lie: ``images`` or ``dataset``.

    Attributes:
        images: a folder or tree of images, or a video.
        labels: labels of some of them.
        space: of the labels and the model's classes.
        dataset: name of a dataset.
        root: its folder.
        split: of the dataset; None for train.
        options: of the dataset.
        labelled: a list of the images that count as labelled, in an order to keep; None for those with a label.
    """

    images: Path | None = None
    labels: Path | None = None
    space: str | None = None
    dataset: str | None = None
    root: Path | None = None
    split: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    labelled: Path | None = None

    def __post_init__(self) -> None:
        """Refuses places that contradict each other with a UserError."""
        if (self.images is None) == (self.dataset is None):
            raise UserError("expected folders that seglift label wrote, or --images, or --dataset; give one of them")
        if self.images is not None:
            _refuse_beside("--images", {"--root": self.root, "--split": self.split, "--option": self.options})
            return
        if self.root is None:
            raise UserError(f"--dataset {self.dataset} needs its folder; give --root DIR")
        _refuse_beside("--dataset", {"--labels": self.labels, "--space": self.space})


@dataclass(frozen=True)
class Pool:
    """Images, those with a label being labelled.

    Attributes:
        items: all of them.
        space: of their labels; None where nobody asked for classes.
        order: numbers of the labelled ones; None has them ascending.
    """

    items: tuple[Item, ...]
    space: LabelSpace | None
    order: tuple[int, ...] | None = None

    @property
    def labelled(self) -> list[int]:
        """Numbers of the labelled ones, in their order."""
        if self.order is not None:
            return list(self.order)
        return [number for number, item in enumerate(self.items) if item.label is not None]


def open_pool(place: PoolPlace) -> Pool:
    """Lists the images; nothing is decoded.

    Raises:
        UserError: images, labels, the dataset or the list of labelled images cannot be opened, no label belongs to an
            image, no space is given for labels, or an image that is listed has no label or is none.
    """
    pool = _open_all(place)
    if place.labelled is None:
        return pool
    listed = () if str(place.labelled) == NOTHING else read_image_list(place.labelled)
    order = find_listed(listed, pool.items, str(place.dataset or place.images))
    bare = next((pool.items[number] for number in order if pool.items[number].label is None), None)
    if bare is not None:
        raise UserError(f"{place.labelled} names {bare.name}, which has no label; expected images that have one")
    kept = set(order)
    items = tuple(item if n in kept else replace(item, label=None) for n, item in enumerate(pool.items))
    return Pool(items, pool.space, tuple(order))


def _open_all(place: PoolPlace) -> Pool:
    """The images, labelled those that have a label."""
    if place.dataset is not None and place.root is not None:
        dataset = open_dataset(place.dataset, place.root, place.split or "train", place.options)
        return Pool(dataset.items, dataset.space)
    if place.images is None:
        raise ValueError("expected images or a dataset with its root")
    pictures = list_pictures(place.images)
    space = None if place.space is None else get_space(place.space)
    labels: dict[int, Path] = {}
    if place.labels is not None:
        if space is None:
            raise UserError("--labels needs the label space; give --space NAME or FILE")
        labels = pair_files(list(pictures), list_labels(place.labels, "give a folder of label PNGs"))
        if not labels:
            raise UserError(
                f"no label in {place.labels} belongs to an image of {place.images} (they are called"
                f" {next(iter(pictures))}, ...); name labels after their images"
            )
    items = []
    for number, (name, picture) in enumerate(pictures.items()):
        label = LabelFile(labels[number], space) if space is not None and number in labels else None
        items.append(Item(name, picture, label))
    return Pool(tuple(items), space)


def find_predictions(pool: Pool, folder: Path) -> dict[int, Path]:
    """Label PNGs that a model made of the unlabelled images, by number of the image.

    Args:
        pool: the images.
        folder: an OUT of ``seglift predict``, or a folder or tree of label PNGs.

    Raises:
        UserError: none of some image, or the folder cannot be read.
    """
    found = pair_files([item.name for item in pool.items], list_predictions(folder))
    missing = [item.name for number, item in enumerate(pool.items) if item.label is None and number not in found]
    if missing:
        raise UserError(
            f"{folder} has no prediction of {len(missing)} of {len(pool.items)} images, the first: {missing[0]};"
            " run seglift predict over all of them"
        )
    return found


def pair_files(names: list[str], labels: LabelTree) -> dict[int, Path]:
    """The label PNG of each image that has one, by number; stems match as in ``seglift score``, others are left out.

    Args:
        names: of the images, with the folders above them, without ending.
        labels: the files.

    Raises:
        UserError: two labels of one image.
    """
    images = LabelTree(Path(), tuple(f"{PurePosixPath(name)}.png" for name in names))
    return {number: label for number, (_, label) in pair_trees(images, labels).found.items()}


def _refuse_beside(what: str, others: Mapping[str, object]) -> None:
    given = [name for name, value in others.items() if value]
    if given:
        raise UserError(f"{given[0]} does not go with {what}; leave it out")
