"""Instance files whose encoding is seen from the file: Cityscapes instanceIds or COCO panoptic with its JSON."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.labels.image_file import open_image_file
from seglift.labels.instances import Array16, read_cityscapes, read_coco
from seglift.labels.space import Array8, LabelSpace

CITYSCAPES, COCO = "cityscapes", "coco"
ENCODINGS = (CITYSCAPES, COCO)


def find_encoding(path: Path) -> str:
    """Which of :data:`ENCODINGS` the PNG at ``path`` is of: colour is COCO's, one channel Cityscapes'.

    Raises:
        UserError: the file cannot be read.
    """
    return COCO if open_image_file(path).image.mode in ("RGB", "RGBA") else CITYSCAPES


def read_instances(path: Path, space: LabelSpace) -> tuple[Array8, Array16]:
    """Reads an instance PNG of either encoding.

    Returns:
        uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 where there is no single object.

    Raises:
        UserError: unreadable, ids that the space lacks, or COCO without its JSON (:func:`find_coco_json`).
    """
    if find_encoding(path) == CITYSCAPES:
        return read_cityscapes(path, space)
    return read_coco(path, find_coco_json(path), space)


def find_coco_json(path: Path) -> Path:
    """The JSON that says what a COCO panoptic PNG shows.

    It is ``STEM.json`` beside ``STEM.png``, or ``FOLDER.json`` beside the folder (as COCO and Cityscapes ship it), or
    the only JSON in the folder.

    Raises:
        UserError: there is none of these.
    """
    folder = path.absolute().parent
    for candidate in (path.with_suffix(".json"), folder.with_name(f"{folder.name}.json")):
        if candidate.is_file():
            return candidate
    inside = sorted(folder.glob("*.json"))
    if len(inside) != 1:
        raise UserError(
            f"{path} is a colour PNG, so COCO panoptic, whose JSON is expected as {path.stem}.json beside it or as "
            f"{folder.name}.json beside its folder; put it there, or give Cityscapes instanceIds (16 bits, one channel)"
        )
    return inside[0]
