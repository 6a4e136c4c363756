"""GTA-5, "Playing for Data" (Richter et al., ECCV 2016): 24966 synthetic images with Cityscapes ids.

Layout: ``images/NNNNN.png``, ``labels/NNNNN.png`` (palette PNGs whose indices are Cityscapes ids, 34 = licence plate),
each directly in the root or, as the ten archives leave them, in several folders ``01_images/images`` and so on.
There are no instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item
from seglift.datasets.derived import IndexedLabel
from seglift.datasets.files import check_choice, count_note, find_folders, pair_files, scan_files, wrong_root
from seglift.datasets.folds import share_split
from seglift.labels.builtin import BUILTIN_SPACES

SPLITS = ("train", "val", "test")


def open_gta5(
    root: Path,
    split: str = "train",
    val_share: float = 0.0,
    seed: int | None = 0,
    split_file: Path | str | None = None,
    check_sizes: bool = True,
) -> Dataset:
    """Opens GTA-5, which as published is one set of training images.

    Args:
        root: holds ``images`` and ``labels``.
        split: train (all images unless one of the next options divides them), val, or test (with ``split_file``).
        val_share: share of the images that validates, 0 to below 1.
        seed: of that draw; None takes the last images.
        split_file: the publisher's ``split.mat`` (``trainIds``, ``valIds``, ``testIds``, numbers from 1) instead.
        check_sizes: leave out pairs of different size, of which there are a few; reads the headers of all files.

    Raises:
        UserError: an unknown option, a split file that cannot be used, or folders or pairs that are missing.
    """
    check_choice(split, SPLITS, "the GTA-5 split")
    if split == "test" and split_file is None:
        raise UserError("GTA-5 has a test split by split.mat alone; give split_file, or choose train or val")
    if split == "val" and split_file is None and val_share <= 0:
        raise UserError("GTA-5 publishes no validation images; give val_share (such as 0.1) or split_file")
    images, labels = (_files(root, name) for name in ("images", "labels"))
    pairing = pair_files(images, labels, f"GTA-5 ({root})")
    names, notes = pairing.keys, []
    if check_sizes:
        unequal = {name for name in names if not have_equal_size(images[name], labels[name])}
        names = tuple(name for name in names if name not in unequal)
        note = count_note(sorted(unequal), "image", "of GTA-5 whose label has another size left out")
        notes += [] if note is None else [note]
    if split_file is not None:
        wanted = read_split(Path(split_file), split)
        names = tuple(name for name in names if name.isdecimal() and int(name) in wanted)
    else:
        names = share_split(names, val_share, seed)[split == "val"]
    if not names:
        raise UserError(f"no image of GTA-5 {split} is in {root}; unpack more of it or choose another split")
    space = BUILTIN_SPACES["gta5"]
    items = tuple(Item(name, ImageFile(images[name]), IndexedLabel(labels[name], space)) for name in names)
    return Dataset("gta5", root, split, space, items, notes=tuple(notes), problems=pairing.problems)


def have_equal_size(first: Path, second: Path) -> bool:
    """Whether two pictures have one size by their headers; True where a header cannot be read (reading will say so)."""
    try:
        with Image.open(first) as one, Image.open(second) as other:
            return one.size == other.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return True


def read_split(path: Path, split: str) -> frozenset[int]:
    """Numbers (from 1) of the images of ``split`` by a ``split.mat``.

    Raises:
        UserError: it cannot be read or has no such entry.
    """
    try:
        content = loadmat(path, appendmat=False)
    except Exception as error:  # a damaged file makes scipy raise almost anything
        raise UserError(f"cannot read {path} as a MATLAB file ({error}); give GTA-5's split.mat") from error
    key = f"{split}Ids"
    if key not in content:
        found = ", ".join(name for name in content if not name.startswith("__")) or "nothing"
        raise UserError(f"{path} has no {key}, only {found}; give GTA-5's split.mat")
    return frozenset(np.asarray(content[key]).ravel().astype(int).tolist())


def _files(root: Path, name: str) -> dict[str, Path]:
    """Files ``NNNNN.png`` of every folder called ``name``."""
    folders = [root / name] if (root / name).is_dir() else find_folders(root, name)
    if not folders:
        raise wrong_root(root, (name,), "GTA-5")
    return _merge(scan_files(folder).by_key(".png") for folder in folders)


def _merge(parts: Iterable[dict[str, Path]]) -> dict[str, Path]:
    merged: dict[str, Path] = {}
    for part in parts:
        for name, path in part.items():
            if name in merged:
                raise UserError(f"{merged[name]} and {path} are two files for {name}, one is expected; remove one")
            merged[name] = path
    return merged
