"""Instance files: Cityscapes instanceIds, KITTI's, and COCO panoptic PNG + JSON, as (raw id, instance number).

The instance number is 0 where a pixel belongs to no single instance (stuff, or a thing in a crowd or group) and
1, 2, ... for the instances of a class. Cityscapes counts its instances from 0, so number = n + 1 there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import read_json
from seglift.labels.image_file import open_image_file, pixels
from seglift.labels.packed import Distinct, find_distinct, pack_rgb
from seglift.labels.space import Array8, LabelSpace, describe_ids

Array16 = NDArray[np.uint16]

CITYSCAPES_FACTOR, KITTI_FACTOR = 1000, 256
# A segment id of ours is raw id * 1001 + number + 1: never 0 (COCO's void), and the same for an object in every frame.
_COCO_FACTOR = CITYSCAPES_FACTOR + 1
_ANY_PICTURE = ""
_COCO_BINS = 256 * _COCO_FACTOR + 1


@dataclass(frozen=True)
class Segment:
    """One entry of COCO's ``segments_info``; ``bbox`` is x, y, width, height and ``area`` counts, both in pixels."""

    id: int
    category_id: int
    area: int
    bbox: tuple[int, int, int, int]
    iscrowd: int

    def to_data(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return {**asdict(self), "bbox": list(self.bbox)}


def read_cityscapes(path: Path, space: LabelSpace) -> tuple[Array8, Array16]:
    """Reads an instanceIds PNG; see :func:`decode_cityscapes`.

    Raises:
        UserError: unreadable, more than one channel, or ids that the space lacks.
    """
    return decode_cityscapes(read_values(path), space, str(path))


def decode_cityscapes(values: NDArray[np.integer], space: LabelSpace, where: str) -> tuple[Array8, Array16]:
    """Cityscapes instance ids to raw ids and instance numbers.

    Args:
        values: integer [H, W]: the raw id alone, or raw id * 1000 + n for instance n = 0..999.
        space: whose ids they must be.
        where: the file's name, for the error.

    Returns:
        uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 or n + 1 (1..1000).

    Raises:
        UserError: values that are neither; they are listed with their pixel counts.
    """
    distinct = find_distinct(values)
    single = distinct.values >= CITYSCAPES_FACTOR
    raw = np.where(single, distinct.values // CITYSCAPES_FACTOR, distinct.values)
    return _spread(distinct, raw, np.where(single, distinct.values % CITYSCAPES_FACTOR + 1, 0), space, where)


def read_kitti(path: Path, space: LabelSpace) -> tuple[Array8, Array16]:
    """Reads an instance PNG of KITTI's semantics; see :func:`decode_kitti`.

    Raises:
        UserError: unreadable, more than one channel, or ids that the space lacks.
    """
    return decode_kitti(read_values(path), space, str(path))


def decode_kitti(values: NDArray[np.integer], space: LabelSpace, where: str) -> tuple[Array8, Array16]:
    """KITTI's instance values to raw ids and instance numbers.

    Args:
        values: integer [H, W], raw id * 256 + n: the raw id in the high byte, n = 1..255 in the low one, 0 where there
            is no single instance.
        space: whose ids they must be.
        where: the file's name, for the error.

    Returns:
        uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0..255.

    Raises:
        UserError: ids that the space lacks; they are listed with their pixel counts.
    """
    distinct = find_distinct(values)
    return _spread(distinct, distinct.values // KITTI_FACTOR, distinct.values % KITTI_FACTOR, space, where)


def looks_like_kitti(values: NDArray[np.integer], space: LabelSpace) -> bool:
    """Whether instance values, integer [H, W], make sense in KITTI's encoding alone, and not in Cityscapes'.

    They make sense where all classes are of the space and those with instances are things.
    """
    found = find_distinct(values).values
    single = found >= CITYSCAPES_FACTOR
    cityscapes = _make_sense(np.where(single, found // CITYSCAPES_FACTOR, found), single, space)
    return not cityscapes and _make_sense(found // KITTI_FACTOR, found % KITTI_FACTOR > 0, space)


def _make_sense(raw: NDArray[np.int64], single: NDArray[np.bool_], space: LabelSpace) -> bool:
    things = [entry.id for entry in space.classes if entry.thing]
    return bool(np.isin(raw, space.ids).all() and np.isin(raw[single], things).all())


INSTANCE_READERS: dict[str, Callable[[Path, LabelSpace], tuple[Array8, Array16]]] = {
    "cityscapes": read_cityscapes,
    "kitti": read_kitti,
}
"""For each encoding of instance PNGs what reads it: uint8 [H, W] raw ids and uint16 [H, W] instance numbers."""


def encode_cityscapes(raw: Array8, number: Array16, where: str) -> Array16:
    """Raw ids and instance numbers (0, or 1..1000) to Cityscapes instance ids, uint16 [H, W].

    Raises:
        UserError: more than 1000 instances of a class, or an id above 64 with instances, which 16 bits cannot hold.
    """
    highest = int(number.max(initial=0))
    if highest > CITYSCAPES_FACTOR:
        raise UserError(
            f"{where} has instance number {highest}, Cityscapes instanceIds hold 1000 for each class; use COCO panoptic"
        )
    single = number > 0
    values = np.where(single, raw.astype(np.int32) * CITYSCAPES_FACTOR + number - 1, raw)
    if int(values.max(initial=0)) > np.iinfo(np.uint16).max:
        raise UserError(
            f"{where} has instances of class id {int(raw[single].max())}, Cityscapes instanceIds hold ids up to 64 "
            "in 16 bits; use COCO panoptic"
        )
    return values.astype(np.uint16)


def encode_kitti(raw: Array8, number: Array16, where: str) -> Array16:
    """Raw ids and instance numbers (0, or 1..255) to KITTI's instance values, uint16 [H, W].

    Raises:
        UserError: more than 255 instances of a class.
    """
    highest = int(number.max(initial=0))
    if highest >= KITTI_FACTOR:
        raise UserError(
            f"{where} has instance number {highest}, KITTI's encoding holds 255 for each class; use Cityscapes"
            " instanceIds or COCO panoptic"
        )
    return raw.astype(np.uint16) * np.uint16(KITTI_FACTOR) + number


def count_disagreement(raw: Array8, other: Array8) -> int:
    """Number of pixels where the raw ids of a label file and those of its instance file, both [H, W], differ.

    Raises:
        ValueError: the sizes differ.
    """
    if raw.shape != other.shape:
        raise ValueError(f"label {raw.shape} and instances {other.shape} must have one size")
    return int(np.count_nonzero(raw != other))


def read_coco(path: Path, json_path: Path, space: LabelSpace) -> tuple[Array8, Array16]:
    """Reads a COCO panoptic PNG with its JSON (of the whole set, or of this picture alone); see :func:`decode_coco`.

    Raises:
        UserError: unreadable, not RGB, not mentioned in the JSON, or not understood by :func:`decode_coco`.
    """
    file = open_image_file(path)
    rgb = pixels(file)
    if file.image.mode != "RGB" or file.bits != 8:
        raise UserError(f"{path} is {file.kind}, 8-bit RGB with id = R + 256 G + 65536 B is expected; check the file")
    state = json_path.stat() if json_path.is_file() else None
    known = _list_annotations(json_path, None if state is None else (state.st_mtime_ns, state.st_size, state.st_ino))
    entries = known.get(path.name, []) + known.get(_ANY_PICTURE, [])
    if len(entries) != 1 or not isinstance(entries[0].get("segments_info"), list):
        raise UserError(f"{json_path} has {len(entries)} annotations with segments_info for {path.name}; 1 is expected")
    return decode_coco(rgb, entries[0]["segments_info"], space, str(path))


def decode_coco(
    rgb: Array8, segments: Sequence[dict[str, Any]], space: LabelSpace, where: str
) -> tuple[Array8, Array16]:
    """COCO panoptic ids to raw ids and instance numbers.

    Args:
        rgb: uint8 [H, W, 3]; segment id = R + 256 G + 65536 B, 0 = void.
        segments: ``segments_info`` of the picture: ``id``, ``category_id`` (a raw id), optionally ``iscrowd``.
        space: gives the things, and the id written for void.
        where: the file's name, for the error.

    Returns:
        uint8 [H, W] raw ids and uint16 [H, W] instance numbers: 1, 2, ... in the order of the segment ids within a
        thing class; 0 for stuff, crowds and void. Segment ids that :func:`encode_coco` wrote keep their number.

    Raises:
        UserError: a segment in the picture or a category that is not known; void in a space without void.
    """
    distinct = find_distinct(pack_rgb(rgb, red_lowest=True))
    known = _number_segments(segments, space, where)
    if space.ignore is not None:
        known.setdefault(0, (space.ignore, 0))
    pairs = zip(distinct.values.tolist(), distinct.counts.tolist(), strict=True)
    missing = [f"{value} ({count} px)" for value, count in pairs if value not in known]
    if missing:
        listed = ", ".join(missing[:12])
        raise UserError(
            f"{where} has segments that its segments_info lacks: {listed}; give the JSON that belongs to it"
        )
    table = np.array([known[value] for value in distinct.values.tolist()], np.int64).reshape(-1, 2)
    return _spread(distinct, table[:, 0], table[:, 1], space, where)


def encode_coco(raw: Array8, number: Array16, space: LabelSpace, where: str) -> tuple[Array8, list[Segment]]:
    """Raw ids and instance numbers (0, or 1..1000) to COCO panoptic.

    A thing without number becomes a crowd. An object keeps its segment id over the frames of a clip.

    Returns:
        uint8 [H, W, 3] (0 where the raw id is ``space.ignore``) and the segments in the order of their ids.

    Raises:
        UserError: an instance number above 1000.
    """
    if int(number.max(initial=0)) > CITYSCAPES_FACTOR:
        raise UserError(
            f"{where} has instance number {int(number.max())}, at most 1000 for each class; check the input"
        )
    ids = raw.astype(np.int32) * _COCO_FACTOR + number + 1
    if space.ignore is not None:
        ids[(raw == space.ignore) & (number == 0)] = 0
    counts = np.bincount(ids.ravel(), minlength=_COCO_BINS)
    things = {entry.id for entry in space.classes if entry.thing}
    segments = []
    for value in np.flatnonzero(counts[1:]).tolist():
        category, index = divmod(value, _COCO_FACTOR)
        x, y, width, height = cv2.boundingRect((ids == value + 1).astype(np.uint8))
        crowd = int(index == 0 and category in things)
        segments.append(Segment(value + 1, category, int(counts[value + 1]), (x, y, width, height), crowd))
    rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)
    return rgb, segments


def _spread(
    distinct: Distinct, raw: NDArray[np.int64], number: NDArray[np.int64], space: LabelSpace, where: str
) -> tuple[Array8, Array16]:
    """Raw ids uint8 [H, W] and instance numbers uint16 [H, W] from those of the distinct values."""
    if not np.isin(raw, space.ids).all():
        space.encode(distinct.spread(raw), where)  # refuses them, with the pixels of each
    return distinct.spread(raw.astype(np.uint8)), distinct.spread(number.astype(np.uint16))


@lru_cache(maxsize=2)
def _list_annotations(path: Path, state: tuple[int, int, int] | None) -> dict[str, list[dict[str, Any]]]:
    """The annotations of a COCO JSON by file name; that of a whole set is asked for again for each of its pictures.

    ``state`` tells the versions of the file apart.
    """
    data = read_json(path)
    result: dict[str, list[dict[str, Any]]] = {}
    for row in data.get("annotations", [data]) if isinstance(data, dict) else []:
        name = row.get("file_name", _ANY_PICTURE) if isinstance(row, dict) else None
        if isinstance(name, str):
            result.setdefault(name, []).append(row)
    return result


def read_values(path: Path) -> NDArray[Any]:
    """The values of an instance PNG of one channel, integer [H, W].

    Raises:
        UserError: it cannot be read, or has more channels.
    """
    file = open_image_file(path)
    values = pixels(file)
    if values.ndim != 2:
        raise UserError(f"{path} is {file.kind}, one channel of 16 bits is expected; give the instance file")
    return values


def _number_segments(segments: Sequence[dict[str, Any]], space: LabelSpace, where: str) -> dict[int, tuple[int, int]]:
    """Raw id and instance number of each segment id."""
    things = {entry.id for entry in space.classes if entry.thing}
    result: dict[int, tuple[int, int]] = {}
    used: dict[int, int] = {}
    try:
        rows = sorted((int(row["id"]), int(row["category_id"]), bool(row.get("iscrowd", 0))) for row in segments)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where}: segments_info needs integer id and category_id in each entry; correct it") from error
    ours = all(value > 0 and (value - 1) // _COCO_FACTOR == category for value, category, _ in rows)
    for value, category, crowd in rows:
        if category not in space.ids:
            raise UserError(
                f"{where}: segment {value} has category_id {category}, ids of {space.name} "
                f"({describe_ids(space.ids)}) are expected; map the categories to raw ids or choose another --space"
            )
        if value in result:
            raise UserError(f"{where}: segment id {value} appears twice in segments_info; correct it")
        if ours:
            result[value] = (category, (value - 1) % _COCO_FACTOR)
        elif category in things and not crowd:
            used[category] = used.get(category, 0) + 1
            result[value] = (category, used[category])
        else:
            result[value] = (category, 0)
    return result
