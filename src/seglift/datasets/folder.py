"""The generic layout of seglift: a folder with images, labels and a space file; what every command writes as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source
from seglift.datasets.files import Listing, check_choice, check_unique, count_note, scan_files, wrong_root
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.video.folder import IMAGE_SUFFIXES
from seglift.video.stems import natural_key

SPACE_FILE = "space.yaml"
_DEPTH = 8
_BESIDE = {"labels": "label", "instances": "instance file", "confidence": "confidence map"}
"""Folders beside ``images``, and what messages call one of their files."""


@dataclass(frozen=True)
class ClipNeighbours:
    """Neighbours by position in the clip.

    Attributes:
        places: clip and position in it by name of the item.
        clips: images of each clip in natural order.
    """

    places: dict[str, tuple[str, int]]
    clips: dict[str, tuple[Source, ...]]

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame ``offset`` frames after ``item`` in its clip; None outside the clip and for stills."""
        if offset == 0:
            return item.image
        clip, position = self.places.get(item.name, ("", 0))
        frames = self.clips.get(clip, ())
        return frames[position + offset] if 0 <= position + offset < len(frames) else None


def open_folder(
    root: Path,
    split: str = "train",
    space: str | None = None,
    every: int | None = None,
    first: int = 0,
    confidence: bool = True,
) -> Dataset:
    """A dataset in seglift's own layout.

    ``space.yaml``, ``images/SPLIT/CLIP/STEM.*``, ``labels/SPLIT/CLIP/STEM.png`` for any of the images, and for any of
    the labels ``instances/SPLIT/CLIP/STEM.png`` and ``confidence/SPLIT/CLIP/STEM.png``. Images directly in SPLIT are
    stills. The frames of a clip are neighbours in natural order. Items are named ``CLIP_STEM``, stills ``STEM``; an
    image without label is an item without label.

    Args:
        root: holds ``images``.
        split: a folder in ``images``.
        space: label space, a name or a file; needed where there is no ``space.yaml``, and stands above it.
        every: use the labels of frames ``first``, ``first + every``, ... of each clip alone, as if nobody had drawn the
            others; stills keep theirs. None uses all.
        first: position of the first of them in its clip, from 0.
        confidence: whether items have their confidence maps, which weight pixels in training.

    Raises:
        UserError: wrong root, unknown split, no label space, no image, two files of one name; ``every`` and ``first``
            out of range, or no label at these positions.
    """
    splits = folder_splits(root)
    if not splits:
        raise wrong_root(root, ("images/SPLIT",), "folder dataset")
    check_choice(split, splits, f"the split of {root}")
    _check_positions(every, first)
    found_space = _find_space(root, space)
    listing = scan_files(root / "images" / split, _DEPTH)
    images = listing.by_key(*IMAGE_SUFFIXES)
    if not images:
        raise UserError(f"no images in {listing.folder}; expected images/{split}/CLIP/STEM.png (or .jpg, ...)")
    beside = {kind: _beside(root / kind / split).by_key(".png") for kind in _BESIDE}
    items = tuple(_item(key, images[key], beside, found_space) for key in sorted(images, key=natural_key))
    if not confidence:
        items = tuple(replace(item, confidence=None) for item in items)
    check_unique([item.name for item in items], f"split {split} of {root}")
    if every is not None:
        items = _thinned(items, every, first, f"split {split} of {root}")
    alone = (_alone(found, images, _BESIDE[kind], root) for kind, found in beside.items())
    return Dataset(
        "folder",
        root,
        split,
        found_space,
        items,
        _neighbours(items),
        problems=tuple(problem for problem in alone if problem is not None),
        instance_encoding="cityscapes",
    )


def folder_splits(root: Path) -> tuple[str, ...]:
    """The splits that ``root`` has; empty for a wrong root.

    Raises:
        UserError: its folder of images cannot be read.
    """
    folder = root / "images"
    try:
        if not folder.is_dir():
            return ()
        found = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder} ({error.strerror or error}); check its permissions"
        ) from error
    return tuple(sorted(found, key=natural_key))


def _find_space(root: Path, space: str | None) -> LabelSpace:
    if space is not None:
        return get_space(space)
    if not (root / SPACE_FILE).is_file():
        raise UserError(f"{root} has no {SPACE_FILE}, which says what the labels mean; add it or give the option space")
    return get_space(str(root / SPACE_FILE))


def _beside(folder: Path) -> Listing:
    return scan_files(folder, _DEPTH) if folder.is_dir() else Listing(folder, ())


def _item(key: str, image: Path, beside: Mapping[str, Mapping[str, Path]], space: LabelSpace) -> Item:
    clip, _, _ = key.rpartition("/")
    label = beside["labels"].get(key)
    return Item(
        key.replace("/", "_"),
        ImageFile(image),
        None if label is None else LabelFile(label, space),
        beside["instances"].get(key),
        beside["confidence"].get(key),
        clip or None,
    )


def _check_positions(every: int | None, first: int) -> None:
    if every is None and first:
        raise UserError(f"first is {first} without every; say also every how many frames a label is used")
    if every is not None and not 0 <= first < every:
        raise UserError(f"every is {every} and first {first}, 0 <= first < every is expected; correct them")


def _thinned(items: tuple[Item, ...], every: int, first: int, where: str) -> tuple[Item, ...]:
    """The items with the labels of some frames of each clip alone."""
    places = _neighbours(items).places
    kept = tuple(
        item
        if item.clip is None or places[item.name][1] % every == first
        else replace(item, label=None, instances=None, confidence=None)
        for item in items
    )
    if all(item.label is None for item in kept):
        raise UserError(
            f"{where} has no label at the positions {first}, {first + every}, ... of its clips; "
            "choose another first or every"
        )
    return kept


def _alone(found: Mapping[str, Path], images: Mapping[str, Path], kind: str, root: Path) -> str | None:
    names = sorted(found.keys() - images.keys(), key=natural_key)
    return count_note(names, kind, f"of {root} without image left out")


def _neighbours(items: tuple[Item, ...]) -> ClipNeighbours:
    clips: dict[str, list[Source]] = {}
    places: dict[str, tuple[str, int]] = {}
    for item in items:
        if item.clip is not None:
            frames = clips.setdefault(item.clip, [])
            places[item.name] = (item.clip, len(frames))
            frames.append(item.image)
    return ClipNeighbours(places, {clip: tuple(frames) for clip, frames in clips.items()})
