"""Instance files whose encoding is seen from the file: Cityscapes instanceIds, KITTI's, COCO panoptic with its JSON."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.labels.image_file import open_image_file
from seglift.labels.instances import (
    CITYSCAPES_FACTOR,
    KITTI_FACTOR,
    Array16,
    decode_cityscapes,
    decode_kitti,
    looks_like_kitti,
    read_coco,
    read_values,
)
from seglift.labels.space import Array8, LabelSpace

CITYSCAPES, KITTI, COCO = "cityscapes", "kitti", "coco"
MOST_OF_A_CLASS = {CITYSCAPES: CITYSCAPES_FACTOR, KITTI: KITTI_FACTOR - 1, COCO: CITYSCAPES_FACTOR}
"""For each encoding how many objects of a class it holds."""


def find_encoding(path: Path, space: LabelSpace) -> str:
    """Which of :data:`MOST_OF_A_CLASS` the PNG at ``path`` is of.

    Colour is COCO's, one channel Cityscapes', unless its values make sense in KITTI's encoding alone.

    Args:
        path: of the PNG.
        space: whose ids it has.

    Raises:
        UserError: the file cannot be read.
    """
    if _is_colour(path):
        return COCO
    return KITTI if looks_like_kitti(read_values(path), space) else CITYSCAPES


def read_instances(path: Path, space: LabelSpace) -> tuple[Array8, Array16]:
    """Reads an instance PNG of any encoding; see :func:`find_encoding`.

    Returns:
        uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 where there is no single object.

    Raises:
        UserError: unreadable, ids that the space lacks, or COCO without its JSON (:func:`find_coco_json`).
    """
    if _is_colour(path):
        return read_coco(path, find_coco_json(path), space)
    values = read_values(path)
    decode = decode_kitti if looks_like_kitti(values, space) else decode_cityscapes
    return decode(values, space, str(path))


def _is_colour(path: Path) -> bool:
    return open_image_file(path).image.mode in ("RGB", "RGBA")


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
