"""Cityscapes (Cordts et al., CVPR 2016): fine and coarse labels, the 30-frame snippets, published cross-validation.

Layout: ``leftImg8bit/SPLIT/CITY/CITY_SEQ_FRAME_leftImg8bit.png`` and in the same way ``gtFine``, ``gtCoarse`` and
``leftImg8bit_sequence``, each directly in the root or in the folder of its archive. Instances are ``*_instanceIds``
PNGs of 16 bits: raw id * 1000 + n for instance n = 0, 1, ..., the raw id alone where there is no single instance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source
from seglift.datasets.files import (
    check_choice,
    check_unique,
    count_note,
    find_folder,
    pair_files,
    require_folder,
    scan_files,
)
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.video.stems import natural_key

TRAIN_CITIES = (
    *("aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt", "hamburg", "hanover", "jena"),
    *("krefeld", "monchengladbach", "strasbourg", "stuttgart", "tubingen", "ulm", "weimar", "zurich"),
)
VAL_CITIES = ("frankfurt", "lindau", "munster")
SPLITS = ("train", "val", "test", "train_extra", "trainval")
BEFORE, AFTER = 19, 10
"""Frames that a snippet has before and after the labelled one."""

DAMAGED = frozenset({"troisdorf_000000_000073"})
"""An image of train_extra that is black as published; without a label it is no problem."""

_CV_ALL = 3
_CV_STEP = 7
_TYPES = {"fine": "gtFine", "coarse": "gtCoarse"}
_NAME = re.compile(r"(?P<seq>.+_[0-9]{6})_(?P<frame>[0-9]{6})")


def open_cityscapes(root: Path, split: str = "train", labels: str = "fine", cv: int = 0) -> Dataset:
    """Opens a split of Cityscapes.

    Neighbours at -19..+10 come from ``leftImg8bit_sequence`` where it is there. The test split needs no labels; the
    published ones, all void, are given where they are there.

    Args:
        root: holds ``leftImg8bit`` and ``gtFine`` or ``gtCoarse``, or the folders of their archives.
        split: train, val, test, train_extra (coarse labels only) or trainval.
        labels: fine, coarse, or none (images alone).
        cv: 0 the published split; 1, 2: another three of the 21 cities validate, see :func:`cv_cities`; 3: train on
            all of them (validation stays the published one, now seen in training). For train and val only.

    Raises:
        UserError: an unknown option, or folders or pairs that are missing.
    """
    check_choice(split, SPLITS, "the Cityscapes split")
    check_choice(labels, (*_TYPES, "none"), "labels of Cityscapes")
    if cv not in range(_CV_ALL + 1) or (cv and split not in ("train", "val")):
        raise UserError(
            f"cv is {cv} with split {split}, 0 to {_CV_ALL} are expected, above 0 with train or val alone; correct it"
        )
    if split == "train_extra" and labels == "fine":
        raise UserError("Cityscapes train_extra has no fine labels; choose labels coarse or none, or another split")
    items: list[Item] = []
    notes: list[str] = []
    problems: list[str] = []
    for folder, cities in _parts(split, cv):
        found = _open_folder(root, folder, labels)
        items += [item for item in found.items if cities is None or _city(item) in cities]
        notes += found.notes
        problems += found.problems
    if not items:
        raise UserError(f"{root} has no image of Cityscapes {split} with cv {cv}; unpack all cities or choose cv 0")
    check_unique([item.name for item in items], f"Cityscapes {split}")
    items.sort(key=lambda item: natural_key(item.name))
    folders = {name: find_folder(root, f"leftImg8bit_sequence/{name}") for name, _ in _parts(split, cv)}
    snippets = Snippets({name: path for name, path in folders.items() if path is not None})
    return Dataset(
        "cityscapes",
        root,
        split,
        BUILTIN_SPACES["cityscapes"],
        tuple(items),
        snippets,
        tuple(notes),
        tuple(problems),
        "cityscapes",
    )


def cv_cities(cv: int) -> tuple[frozenset[str], frozenset[str]]:
    """Training and validation cities of fold ``cv`` (0..3).

    The 3 validation and then the 18 training cities stand in one list, each in alphabetical order; fold f < 3
    validates on the three from position 7 f. Fold 3 trains on all and validates on the published three. It is the
    division that NVIDIA's released code for Zhu et al., CVPR 2019 uses; fold 2 is its choice for the test server.
    """
    every = VAL_CITIES + TRAIN_CITIES
    if cv == _CV_ALL:
        return frozenset(every), frozenset(VAL_CITIES)
    held = every[_CV_STEP * cv : _CV_STEP * cv + len(VAL_CITIES)]
    return frozenset(every) - frozenset(held), frozenset(held)


@dataclass(frozen=True)
class Snippets:
    """The neighbours of labelled frames: files of ``leftImg8bit_sequence`` by the name of the split's folder."""

    folders: dict[str, Path] = field(default_factory=dict)

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame ``offset`` frames after ``item`` in its snippet, None outside -19..+10 or where the file lacks."""
        if offset == 0:
            return item.image
        match = _NAME.fullmatch(item.name)
        if match is None or not -BEFORE <= offset <= AFTER or not isinstance(item.image, ImageFile):
            return None
        city = item.image.path.parent
        folder = self.folders.get(city.parent.name)
        frame = int(match["frame"]) + offset
        if folder is None or frame < 0:
            return None
        path = folder / city.name / f"{match['seq']}_{frame:06d}_leftImg8bit.png"
        return ImageFile(path) if path.is_file() else None


def _parts(split: str, cv: int) -> list[tuple[str, frozenset[str] | None]]:
    """Folders that a split draws from, and the cities that count there (None: all)."""
    if split == "trainval":
        return [("train", None), ("val", None)]
    if cv == 0 or (cv == _CV_ALL and split == "val"):
        return [(split, None)]
    cities = cv_cities(cv)[split == "val"]
    return [("train", cities), ("val", cities)]


@dataclass(frozen=True)
class _Folder:
    """What one of the folders train, val, ... gives."""

    items: list[Item]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def _open_folder(root: Path, folder: str, labels: str) -> _Folder:
    images = scan_files(require_folder(root, f"leftImg8bit/{folder}", dataset="Cityscapes"), depth=1)
    pictures = images.by_key("_leftImg8bit.png")
    where = f"Cityscapes {folder} ({images.folder})"
    kind = _TYPES.get(labels)
    drawn_folder = None if kind is None else find_folder(root, f"{kind}/{folder}")
    if drawn_folder is None and kind is not None and folder != "test":
        drawn_folder = require_folder(root, f"{kind}/{folder}", dataset="Cityscapes")
    if drawn_folder is None:
        if not pictures:
            raise UserError(f"{where} holds no *_leftImg8bit.png; unpack its archive completely")
        return _Folder(
            [Item(_stem(key), ImageFile(path), None, clip=_clip(_stem(key))) for key, path in pictures.items()]
        )
    files = scan_files(drawn_folder, depth=1)
    drawn = files.by_key(f"_{kind}_labelIds.png")
    instances = files.by_key(f"_{kind}_instanceIds.png")
    damaged = {key: path for key, path in pictures.items() if _stem(key) in DAMAGED and key not in drawn}
    pairing = pair_files({key: path for key, path in pictures.items() if key not in damaged}, drawn, where)
    note = count_note([_stem(key) for key in damaged], "image", f"of {where}, damaged as published, left out")
    space = BUILTIN_SPACES["cityscapes"]
    items = [
        Item(name, ImageFile(pictures[key]), LabelFile(drawn[key], space), instances.get(key), clip=_clip(name))
        for key, name in ((key, _stem(key)) for key in pairing.keys)
    ]
    return _Folder(items, () if note is None else (note,), pairing.problems)


def _stem(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _clip(name: str) -> str | None:
    """The snippet of a labelled frame, named by its first frame."""
    match = _NAME.fullmatch(name)
    return None if match is None else f"{match['seq']}_{max(0, int(match['frame']) - BEFORE):06d}"


def _city(item: Item) -> str:
    return item.image.path.parent.name if isinstance(item.image, ImageFile) else ""
