"""BDD100K semantic segmentation (Yu et al., CVPR 2020): 7000 / 1000 / 2000 images, masks of Cityscapes train ids.

Layouts: ``images/10k/SPLIT/ID.jpg`` with ``labels/sem_seg/masks/SPLIT/ID.png``, and the older
``seg/images/SPLIT/ID.jpg`` with ``seg/labels/SPLIT/ID_train_id.png``. Instances, where ``labels/ins_seg/bitmasks`` is
there, are PNGs of four 8-bit channels: R the category of the instance task (1 person, 2 rider, 3 car, 4 truck, 5 bus,
6 train, 7 motorcycle, 8 bicycle), G attribute bits, B * 256 + A the number of the instance.
"""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, note_unread_instances
from seglift.datasets.files import check_choice, find_folder, pair_files, require_folder, scan_files
from seglift.labels.builtin import BUILTIN_SPACES

SPLITS = ("train", "val", "test")


def open_bdd100k(root: Path, split: str = "train") -> Dataset:
    """Opens a split of BDD100K's 10k images; stills, without neighbours.

    Args:
        root: holds ``images`` and ``labels`` (new layout) or ``seg`` (old); images and labels may be of either.
        split: train, val or test (no labels).

    Raises:
        UserError: an unknown split, or folders or pairs that are missing.
    """
    check_choice(split, SPLITS, "the BDD100K split")
    space = BUILTIN_SPACES["bdd100k"]
    folder = require_folder(root, f"images/10k/{split}", f"seg/images/{split}", dataset="BDD100K")
    images = scan_files(folder).by_key(".jpg", ".png")
    where = f"BDD100K {split} ({folder})"
    if split == "test":
        if not images:
            raise UserError(f"{where} holds no image; unpack its archive completely")
        items = [Item(name, ImageFile(path), None) for name, path in images.items()]
        return Dataset("bdd100k", root, split, space, tuple(items))
    drawn = require_folder(root, f"labels/sem_seg/masks/{split}", f"seg/labels/{split}", dataset="BDD100K")
    labels = scan_files(drawn).by_key("_train_id.png", ".png")
    bitmasks = find_folder(root, f"labels/ins_seg/bitmasks/{split}")
    instances = {} if bitmasks is None else scan_files(bitmasks).by_key(".png")
    pairing = pair_files(images, labels, where)
    items = [
        Item(name, ImageFile(images[name]), LabelFile(labels[name], space), instances.get(name))
        for name in pairing.keys
    ]
    return Dataset(
        "bdd100k",
        root,
        split,
        space,
        tuple(items),
        notes=note_unread_instances(items),
        problems=pairing.problems,
    )
