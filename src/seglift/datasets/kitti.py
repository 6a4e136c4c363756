"""KITTI semantics (Alhaija et al., IJCV 2018): 200 labelled frames, each the 10th of a 21-frame scene-flow clip.

Layout: ``data_semantics/{training,testing}/image_2/NNNNNN_10.png``, ``training/semantic`` with Cityscapes ids,
``training/instance`` with PNGs of 16 bits: raw id * 256 + n for instance n = 1, 2, ..., n = 0 where there is none.
Neighbours: ``data_scene_flow_multiview/{training,testing}/image_2/NNNNNN_FF.png``, FF = 00..20.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source
from seglift.datasets.files import check_choice, find_folder, pair_files, require_folder, scan_files, wrong_root
from seglift.datasets.folds import kfold
from seglift.labels.builtin import BUILTIN_SPACES

SPLITS = ("train", "val", "trainval", "test")
LABELLED, LAST = 10, 20
"""Numbers of the labelled and of the last frame of a clip."""


def open_kitti(
    root: Path,
    split: str = "train",
    folds: int = 4,
    fold: int | None = None,
    seed: int = 0,
    drives: Path | str | None = None,
) -> Dataset:
    """Opens a split of KITTI semantics, which publishes 200 training and 200 test images and no validation.

    Args:
        root: holds ``data_semantics`` or its ``training`` and ``testing``; ``data_scene_flow_multiview`` may lie in it,
            beside it, or unpacked over it.
        split: train, val, trainval (all 200) or test (no labels).
        folds: number of folds of the cross-validation (Zhu et al., CVPR 2019 use 10, Warp-Refine 4).
        fold: the fold that validates, the others train; None trains on all and has no validation.
        seed: of the division into folds.
        drives: optional file whose line i (from 0) is "DATE DRIVE FRAME" of image i (an empty line where that is not
            known), as in the scene-flow devkit's ``train_mapping.txt``; images of one drive then share a fold.

    Raises:
        UserError: an unknown option, or folders or pairs that are missing.
    """
    check_choice(split, SPLITS, "the KITTI split")
    if split == "val" and fold is None:
        raise UserError(f"KITTI publishes no validation split; give fold (0 to {folds - 1}) to hold a fold out")
    part = "testing" if split == "test" else "training"
    base = _find_base(root, part)
    items, problems = _open_test(base) if split == "test" else _open_training(base)
    if fold is not None and split in ("train", "val"):
        groups = None if drives is None else read_drives(Path(drives))
        held = set(kfold([item.name for item in items], folds, fold, seed, groups)[split == "val"])
        items = [item for item in items if item.name in held]
    multiview = f"data_scene_flow_multiview/{part}/image_2"
    places = (find_folder(root, multiview), base.parent / multiview, base / part / "image_2")
    clips = SceneFlowClips(tuple(place for place in places if place is not None and place.is_dir()))
    space = BUILTIN_SPACES["kitti"]
    return Dataset("kitti", root, split, space, tuple(items), clips, problems=problems, instance_encoding="kitti")


@dataclass(frozen=True)
class SceneFlowClips:
    """The neighbours: files ``NNNNNN_FF.png`` in the first of ``folders`` that has them."""

    folders: tuple[Path, ...]

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame ``offset`` frames after ``item``, None outside -10..+10 or where the file lacks."""
        if offset == 0:
            return item.image
        number, frame = _clip(item.name), LABELLED + offset
        if not 0 <= frame <= LAST:
            return None
        paths = (folder / f"{number}_{frame:02d}.png" for folder in self.folders)
        return next((ImageFile(path) for path in paths if path.is_file()), None)


def read_drives(path: Path) -> dict[str, str]:
    """Drive of each image ``NNNNNN_10`` that the mapping file knows.

    Raises:
        UserError: it cannot be read, or a line has other than 0 or 3 words.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the drives of KITTI's images from {path}: {error}; check the path") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        words = line.split()
        if len(words) not in (0, 3):
            raise UserError(
                f"line {number + 1} of {path} is {line!r}, DATE DRIVE FRAME or nothing is expected; "
                "give the mapping file of the scene-flow devkit"
            )
        if words:
            found[f"{number:06d}_{LABELLED}"] = words[1]
    return found


def _find_base(root: Path, part: str) -> Path:
    """The folder that holds ``training`` and ``testing``; labels tell it from the multi-view archive."""
    labelled = find_folder(root, "data_semantics/training/semantic", "training/semantic")
    if labelled is not None and (labelled.parents[1] / part).is_dir():
        return labelled.parents[1]
    if part == "training":
        return require_folder(root, "data_semantics/training/semantic", "training/semantic", dataset="KITTI").parents[1]
    found = find_folder(root, "data_semantics/testing/image_2")
    if found is None and (root / "testing/image_2").is_dir():
        found = root / "testing/image_2"
    found = found or require_folder(root, "data_semantics/testing/image_2", dataset="KITTI")
    return found.parents[1]


def _open_test(base: Path) -> tuple[list[Item], tuple[str, ...]]:
    images = _labelled_images(base / "testing/image_2")
    if not images:
        raise UserError(f"{base / 'testing/image_2'} holds no image NNNNNN_10.png; unpack data_semantics completely")
    return [Item(name, ImageFile(path), None, clip=_clip(name)) for name, path in images.items()], ()


def _open_training(base: Path) -> tuple[list[Item], tuple[str, ...]]:
    folder = base / "training/image_2"
    if not folder.is_dir():
        raise wrong_root(base, ("training/image_2",), "KITTI")
    images = _labelled_images(folder)
    labels = scan_files(base / "training/semantic").by_key(".png")
    place = base / "training/instance"
    instances = scan_files(place).by_key(".png") if place.is_dir() else {}
    pairing = pair_files(images, labels, f"KITTI training ({folder})")
    space = BUILTIN_SPACES["kitti"]
    items = [
        Item(name, ImageFile(images[name]), LabelFile(labels[name], space), instances.get(name), clip=_clip(name))
        for name in pairing.keys
    ]
    return items, pairing.problems


def _labelled_images(folder: Path) -> dict[str, Path]:
    files = scan_files(folder).by_key(".png")
    return {name: path for name, path in files.items() if name.endswith(f"_{LABELLED}")}


def _clip(name: str) -> str:
    return name.partition("_")[0]
