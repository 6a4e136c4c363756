"""NYU-Depth V2 (Silberman et al., ECCV 2012) in 40 classes: the labelled .mat file, or a folder exported from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import read_json
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source, no_neighbours
from seglift.datasets.files import check_choice, count_note, find_folder, scan_files, wrong_root
from seglift.datasets.nyuv2_mat import ClassMap, MatImage, MatLabel, read_class_map, read_frame_names, read_split
from seglift.datasets.nyuv2_raw import RawNeighbours
from seglift.labels.builtin import BUILTIN_SPACES

LABELLED, SPLITS_FILE, CLASS_MAP = "nyu_depth_v2_labeled.mat", "splits.mat", "classMapping40.mat"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class ExportedNeighbours:
    """Neighbours of an exported folder.

    Attributes:
        files: frames by key ``NAME_+02`` or ``NAME_-02``.
    """

    files: dict[str, Path]

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame half a second times ``offset`` after ``item``; None where there is none."""
        if offset == 0:
            return item.image
        path = self.files.get(neighbour_key(item.name, offset))
        return None if path is None else ImageFile(path)


def neighbour_key(name: str, offset: int) -> str:
    """File stem of an exported neighbour: ``0001_+02``."""
    return f"{name}_{offset:+03d}"


def open_nyuv2(root: Path, split: str = "train", raw: Path | None = None) -> Dataset:
    """NYU-Depth V2: 795 images to train on, 654 to test on, 480x640; items are named by their number, ``0001``.

    Two layouts. The published files: ``nyu_depth_v2_labeled.mat``, ``splits.mat``, and for the 40 classes
    ``classMapping40.mat`` or a folder ``labels40/%04d.png`` (pictures and labels are read one at a time; needs the
    extra ``nyu``). Or a folder written by :func:`seglift.datasets.nyuv2_export.export_nyuv2`: ``images/%04d.png``,
    ``labels40/%04d.png``, ``neighbors/%04d_%+03d.png``, ``splits.json``.

    Args:
        root: holds either, directly or in one of its folders.
        split: train or test.
        raw: folder of the raw recordings, ``SCENE/r-TIMESTAMP-NUMBER.ppm``; gives the published files neighbours: see
            :class:`RawNeighbours`. An exported folder brings its own.

    Raises:
        UserError: wrong root, unknown split, files that cannot be read, h5py is missing.
    """
    check_choice(split, SPLITS, "the split of NYU-Depth V2")
    exported = find_folder(root, "images")
    if exported is not None and (exported.parent / "splits.json").is_file():
        return _open_exported(root, exported.parent, split)
    labelled = next((path for path in (root / LABELLED, *root.glob(f"*/{LABELLED}")) if path.is_file()), None)
    if labelled is None:
        raise wrong_root(root, (LABELLED, "images (with splits.json)"), "NYU-Depth V2")
    return _open_published(root, labelled, split, raw)


def find_beside(labelled: Path, name: str) -> Path:
    """The file ``name`` in the folder of the labelled file.

    Raises:
        UserError: it is not there.
    """
    path = labelled.parent / name
    if not path.is_file():
        raise UserError(f"{path} is missing, it is needed to read {labelled}; download it from the data set's page")
    return path


def raw_neighbours(frames: tuple[str, ...], test: tuple[int, ...], raw: Path) -> RawNeighbours:
    """Neighbours in the raw recordings.

    Args:
        frames: raw frame of every labelled picture.
        test: numbers (from 1) of the pictures of the test split.
        raw: folder of the recordings.

    Raises:
        UserError: there is no such folder.
    """
    if not raw.is_dir():
        raise UserError(f"the folder {raw} of NYU-Depth V2's raw recordings does not exist; give the folder of scenes")
    names = {item_name(number): frame for number, frame in enumerate(frames, start=1)}
    return RawNeighbours(raw, names, frozenset(frames[number - 1] for number in test))


def item_name(number: int) -> str:
    """Name of picture ``number`` (from 1): four digits."""
    return f"{number:04d}"


def check_numbers(numbers: dict[str, tuple[int, ...]], count: int, where: Path) -> None:
    """Checks that the pictures of the splits exist and are in one split only.

    Raises:
        UserError: a number is outside 1..count, or train and test share one.
    """
    listed = [number for part in numbers.values() for number in part]
    outside = [number for number in listed if not 1 <= number <= count]
    if outside or len(set(listed)) != len(listed):
        problem = f"names picture {outside[0]}" if outside else "names a picture twice"
        raise UserError(f"{where} {problem}, each of 1..{count} is expected at most once; take the published file")


def _open_published(root: Path, labelled: Path, split: str, raw: Path | None) -> Dataset:
    splits = find_beside(labelled, SPLITS_FILE)
    numbers = read_split(splits)
    frames = read_frame_names(labelled)
    check_numbers(numbers, len(frames), splits)
    label = _label_reader(labelled)
    items = tuple(
        Item(item_name(number), MatImage(labelled, number - 1), label(number), clip=frames[number - 1].split("/")[0])
        for number in sorted(numbers[split])
    )
    neighbour = no_neighbours if raw is None else raw_neighbours(frames, numbers["test"], raw)
    return Dataset("nyuv2", root, split, BUILTIN_SPACES["nyuv2"], items, neighbour)


def _label_reader(labelled: Path) -> Callable[[int], Source]:
    """Gives the label of a picture by its number (from 1)."""
    space = BUILTIN_SPACES["nyuv2"]
    folder = labelled.parent / "labels40"
    if not (labelled.parent / CLASS_MAP).is_file() and folder.is_dir():
        return lambda number: LabelFile(folder / f"{item_name(number)}.png", space)
    class_map: ClassMap = read_class_map(find_beside(labelled, CLASS_MAP))
    return lambda number: MatLabel(labelled, number - 1, class_map, space)


def _open_exported(root: Path, folder: Path, split: str) -> Dataset:
    images = scan_files(folder / "images").by_key(".png", ".jpg", ".ppm")
    labels = scan_files(folder / "labels40").by_key(".png") if (folder / "labels40").is_dir() else {}
    names = [item_name(number) for number in sorted(_exported_split(folder / "splits.json", split))]
    space = BUILTIN_SPACES["nyuv2"]
    items = tuple(
        Item(name, ImageFile(images[name]), LabelFile(labels[name], space))
        for name in names
        if name in images and name in labels
    )
    if not items:
        raise UserError(f"no picture of split {split} in {folder} has an image and a label; export it again")
    without = (
        count_note([name for name in names if name not in images], "picture", f"of NYU-Depth V2 {split} without image"),
        count_note([name for name in names if name not in labels], "picture", f"of NYU-Depth V2 {split} without label"),
    )
    near = scan_files(folder / "neighbors").by_key(".png", ".jpg") if (folder / "neighbors").is_dir() else {}
    problems = tuple(problem for problem in without if problem is not None)
    return Dataset("nyuv2", root, split, space, items, ExportedNeighbours(near), problems=problems)


def _exported_split(path: Path, split: str) -> tuple[int, ...]:
    content: Any = read_json(path)
    numbers = content.get(split) if isinstance(content, dict) else None
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise UserError(f"{path} has no list {split} of picture numbers; export the data set again")
    return tuple(dict.fromkeys(numbers))
