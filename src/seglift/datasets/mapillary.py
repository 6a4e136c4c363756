"""Mapillary Vistas v1.2 (Neuhold et al., ICCV 2017): 18000 / 2000 / 5000 images, 66 entries of which 65 are evaluated.

Layout: ``{training,validation,testing}/images/ID.jpg`` with ``labels/ID.png`` beside them (v1.2), or in the subfolder
``v1.2`` that v2.0 has for the same labels. Labels are palette PNGs whose indices are the classes. Instances are PNGs of
16 bits, class * 256 + n, n counting the instances of a class from 0.
"""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, Source, note_unread_instances
from seglift.datasets.derived import IndexedLabel, MappedLabel, Resized, mapped_table
from seglift.datasets.files import check_choice, pair_files, require_folder, scan_files
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelSpace

SPLITS = {"train": "training", "val": "validation", "test": "testing"}
LONG_EDGE = 2177
"""Pixels that Tao et al. (2020) scale the longer side to."""

_MEMBERS: dict[int, tuple[int, ...]] = {
    **{0: (13, 24, 41), 1: (2, 15), 2: (17,), 3: (6,), 4: (3,), 5: (45, 47), 6: (48,), 7: (50,), 8: (30,), 9: (29,)},
    **{10: (27,), 11: (19,), 12: (20, 21, 22), 13: (55,), 14: (61,), 15: (54,), 16: (58,), 17: (57,), 18: (52,)},
}
TO_CITYSCAPES = {entry: train_id for train_id, entries in _MEMBERS.items() for entry in entries}
"""Cityscapes train id of the entries that have one."""

MORE_ROAD = (7, 8, 14, 23, 43)
"""Bike lane, plain and marked crosswalk, service lane and pothole: road, if one wants."""


def open_mapillary(
    root: Path,
    split: str = "train",
    map_to: str | None = None,
    more_road: bool = False,
    long_edge: int | None = None,
) -> Dataset:
    """Opens a split of Mapillary Vistas with the 66 entries of v1.2; stills, without neighbours.

    Args:
        root: holds ``training``, ``validation`` and ``testing``.
        split: train, val or test (no labels).
        map_to: "cityscapes" reads the labels as the 19 Cityscapes classes, the rest void; None keeps all entries.
        more_road: with ``map_to``, bike lanes, crosswalks, service lanes and potholes are road as well.
        long_edge: scales images and labels to this longer side in pixels while reading (Tao et al. use 2177, see
            ``LONG_EDGE``); instance files keep their size. None keeps all sizes.

    Raises:
        UserError: an unknown option, or folders or pairs that are missing.
    """
    check_choice(split, tuple(SPLITS), "the Mapillary split")
    if map_to is not None:
        check_choice(map_to, ("cityscapes",), "map_to")
    if long_edge is not None and long_edge < 1:
        raise UserError(f"long_edge is {long_edge}, a number of pixels above 0 is expected; choose {LONG_EDGE}")
    part = SPLITS[split]
    folder = require_folder(root, f"{part}/images", dataset="Mapillary Vistas")
    images = scan_files(folder).by_key(".jpg", ".png")
    where = f"Mapillary Vistas {part} ({folder})"
    space = BUILTIN_SPACES[map_to or "mapillary"]
    if split == "test":
        if not images:
            raise UserError(f"{where} holds no image; unpack its archive completely")
        bare = tuple(Item(name, _sized(ImageFile(path), long_edge), None) for name, path in images.items())
        return Dataset("mapillary", root, split, space, bare)
    drawn = require_folder(root, f"{part}/v1.2/labels", f"{part}/labels", dataset="Mapillary Vistas")
    labels = scan_files(drawn).by_key(".png")
    place = drawn.parent / "instances"
    instances = scan_files(place).by_key(".png") if place.is_dir() else {}
    pairing = pair_files(images, labels, where)
    table = _table(space, more_road) if map_to else None
    items = tuple(
        Item(
            name,
            _sized(ImageFile(images[name]), long_edge),
            _sized(_label(labels[name], table), long_edge),
            instances.get(name),
        )
        for name in pairing.keys
    )
    unread = note_unread_instances(items)
    return Dataset("mapillary", root, split, space, items, notes=unread, problems=pairing.problems)


def _table(target: LabelSpace, more_road: bool) -> tuple[int, ...]:
    extra = dict.fromkeys(MORE_ROAD, 0) if more_road else {}
    return mapped_table(BUILTIN_SPACES["mapillary"], target, TO_CITYSCAPES | extra)


def _label(path: Path, table: tuple[int, ...] | None) -> Source:
    label = IndexedLabel(path, BUILTIN_SPACES["mapillary"])
    return label if table is None else MappedLabel(label, table)


def _sized(source: Source, long_edge: int | None) -> Source:
    return source if long_edge is None else Resized(source, long_edge)
