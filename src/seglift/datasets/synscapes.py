"""Synscapes (Wrenninge and Unger, 2018): 25000 synthetic images with Cityscapes ids.

Layout: ``img/rgb/N.png`` (720x1440) or ``img/rgb-2k/N.png`` (1024x2048), ``img/class/N.png``, ``img/instance/N.png``
(8-bit RGB: the instance's number is R + 256 G + 65536 B; its class is that of ``img/class``), N = 1..25000.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, Source, note_unread_instances
from seglift.datasets.derived import Fitted, IndexedLabel
from seglift.datasets.files import check_choice, find_folder, pair_files, require_folder, scan_files
from seglift.datasets.folds import share_split
from seglift.labels.builtin import BUILTIN_SPACES

SPLITS = ("train", "val")
IMAGES = ("rgb", "rgb-2k")


def open_synscapes(
    root: Path, split: str = "train", images: str | None = None, val_share: float = 0.0, seed: int | None = 0
) -> Dataset:
    """Opens Synscapes, which as published is one set of images; stills, without neighbours.

    Args:
        root: holds ``img``.
        split: train (all images unless ``val_share`` divides them) or val.
        images: rgb or rgb-2k; None takes the first of them that is there. Labels are brought to the images' size.
        val_share: share of the images that validates, 0 to below 1.
        seed: of that draw; None takes the last images.

    Raises:
        UserError: an unknown option, or folders or pairs that are missing.
    """
    check_choice(split, SPLITS, "the Synscapes split")
    if images is not None:
        check_choice(images, IMAGES, "images of Synscapes")
    if split == "val" and val_share <= 0:
        raise UserError("Synscapes publishes no validation images; give val_share (such as 0.1)")
    choices = tuple(f"img/{name}" for name in (IMAGES if images is None else (images,)))
    folder = require_folder(root, *choices, dataset="Synscapes")
    pictures = scan_files(folder).by_key(".png")
    labels = scan_files(require_folder(root, "img/class", dataset="Synscapes")).by_key(".png")
    place = find_folder(root, "img/instance")
    instances = {} if place is None else scan_files(place).by_key(".png")
    pairing = pair_files(pictures, labels, f"Synscapes ({folder})")
    names = share_split(pairing.keys, val_share, seed)[split == "val"]
    if not names:
        raise UserError(f"val_share {val_share} of {len(pairing.keys)} images leaves none for {split}; choose another")
    space = BUILTIN_SPACES["synscapes"]
    size = _size(pictures[names[0]]) if folder.name == "rgb-2k" else None

    def label(name: str) -> Source:
        drawn = IndexedLabel(labels[name], space)
        return drawn if size is None else Fitted(drawn, size)

    items = tuple(Item(name, ImageFile(pictures[name]), label(name), instances.get(name)) for name in names)
    unread = note_unread_instances(items)
    return Dataset("synscapes", root, split, space, items, notes=unread, problems=pairing.problems)


def _size(path: Path) -> tuple[int, int]:
    """Height and width of a picture by its header."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is no image that can be read ({error}); unpack Synscapes again") from error
    return height, width
