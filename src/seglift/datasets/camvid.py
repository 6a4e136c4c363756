"""CamVid (Brostow et al., 2009): the SegNet files, the original 720x960 files, and folders of images and labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source, no_neighbours
from seglift.datasets.derived import MappedLabel, mapped_table
from seglift.datasets.files import check_choice, count_note, find_folder, pair_files, scan_files, wrong_root
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelSpace
from seglift.video.folder import IMAGE_SUFFIXES
from seglift.video.stems import label_stem, natural_key

STILLS, STILL_LABELS = "701_StillsRaw_full", "LabeledApproved_full"
SPLITS = ("train", "val", "test", "trainval")
LAYOUTS = (f"{STILLS} with {STILL_LABELS}", "train with trainannot", "train/images with train/labels")

GROUPS: dict[str, tuple[str, ...]] = {
    "sky": ("Sky",),
    "building": ("Building", "Archway", "Bridge", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv"),
    "sidewalk": ("Sidewalk", "ParkingBlock", "RoadShoulder"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("SignSymbol", "Misc_Text", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "SUVPickupTruck", "Truck_Bus", "Train", "OtherMoving"),
    "pedestrian": ("Pedestrian", "Child", "CartLuggagePram", "Animal"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
    "void": ("Void",),
}
"""Which of the 32 classes each of the 11 (and void) holds; agrees with the SegNet files."""

_NAME = re.compile(r"(?P<head>.*?)(?P<frame>[0-9]+)")
_LAST_TRAIN_0001TP = 8520
_VAL_0016E5 = range(7959, 8160)


@dataclass(frozen=True)
class VideoFrames:
    """Neighbours by number: ``0001TP_006690`` at offset -1 is ``0001TP_006689``.

    Attributes:
        frames: every frame of the videos by its stem.
    """

    frames: dict[str, Path]

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame ``offset`` frames (of the 30 fps video) after ``item``; None where there is no such file."""
        if offset == 0:
            return item.image
        match = _NAME.fullmatch(item.name)
        number = int(match["frame"]) + offset if match else -1
        if match is None or number < 0:
            return None
        path = self.frames.get(f"{match['head']}{number:0{len(match['frame'])}d}")
        return None if path is None else ImageFile(path)


@dataclass(frozen=True)
class _Part:
    """Files of one folder or list: images and labels by stem, and what to call it in messages."""

    where: str
    images: dict[str, Path]
    labels: dict[str, Path]
    listed: tuple[str, ...] | None = None


def open_camvid(root: Path, split: str = "train", classes: int = 11, video: Path | None = None) -> Dataset:
    """CamVid in whichever of three layouts ``root`` has; the first that is found counts.

    - original, 720x960: ``701_StillsRaw_full/NAME.*`` and ``LabeledApproved_full/NAME_L.png`` in the 32 colours. A
      split is what ``SPLIT.txt`` in the root lists; without it the standard split: ``Seq05VD`` and the frames of
      ``0001TP`` after 8520 are ``test`` (233), frames 7959..8159 of ``0016E5`` are ``val`` (101), all others ``train``
      (367).
    - SegNet, 360x480: ``SPLIT/NAME.png`` and ``SPLITannot/NAME.png``, ids 0..11; ``SPLIT.txt`` narrows it down.
    - ``SPLIT/images/NAME.*`` and ``SPLIT/labels/NAME.png``, ids 0..11, for any SPLIT.

    ``trainval`` is train and val together; where the third layout has no ``val``, but ``dense_a``, a part of the
    standard val, it is train and that.

    Args:
        root: holds the layout, directly or in one of its folders.
        split: train, val, test or trainval; in the third layout any folder, too.
        classes: 11, or 32 for the original layout.
        video: folder with the frames of the 30 fps videos under the names of the stills (``0001TP_%06d``,
            ``0006R0_f%05d``, ``Seq05VD_f%05d``, ``0016E5_%05d``); gives neighbours, offsets count frames of it.

    Raises:
        UserError: wrong root, unknown split, other numbers of classes, 32 classes of 11-class labels, no frames in
            ``video``.
    """
    if classes not in (11, 32):
        raise UserError(f"CamVid has 11 or 32 classes, not {classes}; choose one of them")
    parts, grouped = _find_parts(root, split)
    if classes == 32 and not grouped:
        raise UserError(
            f"the labels in {root} have CamVid's 11 classes, 32 are only in the original files; "
            f"give a root with {STILLS} and {STILL_LABELS}, or 11 classes"
        )
    space = BUILTIN_SPACES[f"camvid{classes}"]
    items: list[Item] = []
    problems: list[str] = []
    for part in parts:
        names, left_out = _names(part)
        problems += left_out
        items += [_item(part, name, space, grouped and classes == 11) for name in names]
    items.sort(key=lambda item: natural_key(item.name))
    neighbour = no_neighbours if video is None else _video_frames(video)
    return Dataset("camvid", root, split, space, tuple(items), neighbour, problems=tuple(problems))


def camvid_splits(root: Path) -> tuple[str, ...]:
    """The splits that ``root`` has; empty for a wrong root."""
    if find_folder(root, STILLS) is not None:
        return SPLITS[:3]
    annotated = find_folder(root, *(f"{name}annot" for name in SPLITS[:3]))
    if annotated is not None:
        return tuple(name for name in SPLITS[:3] if (annotated.parent / f"{name}annot").is_dir())
    if not root.is_dir():
        return ()
    found = (path.parent.name for path in root.glob("*/images") if (path.parent / "labels").is_dir())
    return tuple(sorted(found, key=natural_key))


def standard_split(name: str) -> str:
    """train, val or test: where a still (``name`` such as ``0016E5_07959``) is in the standard split."""
    match = _NAME.fullmatch(name)
    frame = int(match["frame"]) if match else 0
    if name.startswith("Seq05VD") or (name.startswith("0001TP") and frame > _LAST_TRAIN_0001TP):
        return "test"
    return "val" if name.startswith("0016E5") and frame in _VAL_0016E5 else "train"


def _find_parts(root: Path, split: str) -> tuple[list[_Part], bool]:
    """The folders or lists that make up the split, and whether their labels are in the 32 colours."""
    stills = find_folder(root, STILLS)
    if stills is not None:
        check_choice(split, SPLITS, "the split of CamVid")
        return [_original(stills, split)], True
    known = camvid_splits(root)
    if not known:
        told, _, _ = str(wrong_root(root, LAYOUTS, "CamVid")).rpartition("; ")
        raise UserError(f"{told}; give as root the folder that holds one of these pairs")
    both = ("val" if "val" in known else "dense_a") if "train" in known else "train"
    offered = (*known, "trainval") if both in known else known
    check_choice(split, offered, f"the split of CamVid in {root}")
    chosen = ("train", both) if split == "trainval" else (split,)
    annotated = find_folder(root, *(f"{name}annot" for name in SPLITS[:3]))
    if annotated is not None:
        return [_segnet(annotated.parent, name) for name in chosen], False
    return [
        _Part(f"CamVid {name}", _images(root / name / "images"), _labels(root / name / "labels")) for name in chosen
    ], False


def _original(stills: Path, split: str) -> _Part:
    folder = stills.parent
    images = _images(stills)
    labels = _labels(folder / STILL_LABELS) if (folder / STILL_LABELS).is_dir() else {}
    wanted = ("train", "val") if split == "trainval" else (split,)
    listed: tuple[str, ...] = ()
    ruled: list[str] = []
    for name in wanted:
        names = _read_list(folder / f"{name}.txt")
        if names is None:
            ruled.append(name)
        else:
            listed += names
    by_rule = {name for name in images.keys() | labels.keys() if standard_split(name) in ruled}
    return _Part(f"CamVid {split}", *_only(images, labels, by_rule | set(listed)), listed or None)


def _segnet(folder: Path, split: str) -> _Part:
    if not (folder / split).is_dir():
        raise wrong_root(folder, (split,), "CamVid")
    images, labels = _images(folder / split), _labels(folder / f"{split}annot")
    listed = _read_list(folder / f"{split}.txt")
    if listed is not None:
        images, labels = _only(images, labels, set(listed))
    return _Part(f"CamVid {split}", images, labels, listed)


def _only(images: dict[str, Path], labels: dict[str, Path], names: set[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    return (
        {name: path for name, path in images.items() if name in names},
        {name: path for name, path in labels.items() if name in names},
    )


def _names(part: _Part) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names with image and label, in order, and what is left out."""
    pairing = pair_files(part.images, part.labels, part.where)
    absent = [name for name in part.listed or () if name not in part.images and name not in part.labels]
    listed = count_note(sorted(absent, key=natural_key), "listed still", f"of {part.where} not there")
    return pairing.keys, pairing.problems if listed is None else (*pairing.problems, listed)


def _item(part: _Part, name: str, space: LabelSpace, grouped: bool) -> Item:
    path = part.labels[name]
    label = (
        MappedLabel(LabelFile(path, BUILTIN_SPACES["camvid32"]), _group_table()) if grouped else LabelFile(path, space)
    )
    return Item(name, ImageFile(part.images[name]), label, clip=name.rpartition("_")[0] or None)


def _images(folder: Path) -> dict[str, Path]:
    return scan_files(folder).by_key(*IMAGE_SUFFIXES)


def _labels(folder: Path) -> dict[str, Path]:
    return {label_stem(name): path for name, path in scan_files(folder).by_key(".png").items()}


def _read_list(path: Path) -> tuple[str, ...] | None:
    """Stems that a list names, one still a line (more on the line is not needed); None where there is no list."""
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the list {path} ({error}); correct or remove it") from error
    return tuple(label_stem(Path(line.split()[0]).stem) for line in lines if line.strip())


def _video_frames(folder: Path) -> Callable[[Item, int], Source | None]:
    if not folder.is_dir():
        raise UserError(f"the CamVid video folder {folder} does not exist; give the folder of the 30 fps frames")
    frames = {Path(name).name: path for name, path in scan_files(folder, depth=1).by_key(*IMAGE_SUFFIXES).items()}
    if not frames:
        raise UserError(f"no images in the CamVid video folder {folder}; extract the 30 fps frames there")
    return VideoFrames(frames)


@cache
def _group_table() -> tuple[int, ...]:
    """Index of camvid11 by index of camvid32."""
    fine, coarse = BUILTIN_SPACES["camvid32"], BUILTIN_SPACES["camvid11"]
    train_of_name = {name: entry.train_id for entry in coarse.classes for name in GROUPS[entry.name]}
    return mapped_table(fine, coarse, {entry.id: train_of_name[entry.name] for entry in fine.classes})
