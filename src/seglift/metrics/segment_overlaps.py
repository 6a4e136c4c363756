"""The segments of two panoptic maps and the pixels that each pair of them shares.

A segment is one object (a thing with an instance number), all pixels of a stuff class, or all pixels of a thing class
without number. Of stuff the number is irrelevant (Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.labels.packed import find_runs, number_distinct
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace

Counts = NDArray[np.int64]
Panoptic = tuple[Array8, NDArray[np.uint16]]
"""Raw ids uint8 [H, W] and instance numbers uint16 [H, W] (0: no single object), as ``labels.instances`` gives them."""

_NUMBER_BITS = 16
_KEY_BITS = 24


@dataclass(frozen=True, eq=False)
class Segments:
    """The S segments of one map.

    Attributes:
        indices: int64 [S], space index of the class; that of the train id's first class unless ``numbers`` is above 0.
        train_ids: int64 [S], 255 where the class is not evaluated.
        numbers: int64 [S], instance numbers of objects; 0 of stuff and of things that are not told apart.
        pixels: int64 [S], how large each is.
    """

    indices: Counts
    train_ids: Counts
    numbers: Counts
    pixels: Counts


@dataclass(frozen=True, eq=False)
class Overlaps:
    """The N pairs of a predicted and a true segment that share pixels.

    Attributes:
        prediction: the predicted segments.
        truth: the true ones.
        predicted: int64 [N], position in ``prediction``.
        true: int64 [N], position in ``truth``.
        pixels: int64 [N], how many pixels they share, at least 1.
    """

    prediction: Segments
    truth: Segments
    predicted: Counts
    true: Counts
    pixels: Counts


def find_overlaps(space: LabelSpace, prediction: Panoptic, truth: Panoptic) -> Overlaps:
    """Counts all pairs of segments at once.

    Label maps have long runs of equal pixels: only the pixels where a run begins are looked at one by one.

    Raises:
        ValueError: dtypes differ from :data:`Panoptic`, or the four maps are not [H, W] of one size.
        UserError: raw ids that the space lacks.
    """
    maps = (*truth, *prediction)
    if len({values.shape for values in maps}) != 1 or truth[0].ndim != 2:
        raise ValueError(f"four [H, W] of one size are expected, got {[values.shape for values in maps]}")
    if [values.dtype for values in maps] != [np.uint8, np.uint16] * 2:
        raise ValueError(f"raw ids uint8 and numbers uint16 are expected, got {[str(v.dtype) for v in maps]}")
    lengths, (true_raw, true_number, raw, number) = find_runs(maps)
    true_key, true = _number_runs(space, true_raw, true_number, "ground truth")
    key, predicted = _number_runs(space, raw, number, "prediction")
    pairs, pixels = _sum_by_key(true * key.size + predicted, lengths)
    joint, pixels = _sum_by_key(true_key[pairs // key.size] << _KEY_BITS | key[pairs % key.size], pixels)
    true_segments, true = _segments(space, joint >> _KEY_BITS, pixels)
    predicted_segments, predicted = _segments(space, joint & ((1 << _KEY_BITS) - 1), pixels)
    return Overlaps(predicted_segments, true_segments, predicted, true, pixels)


def _number_runs(
    space: LabelSpace, raw: Array8, number: NDArray[np.uint16], where: str
) -> tuple[Counts, NDArray[np.intp]]:
    """The keys of the distinct pairs of raw id and number, and the position among them of that of each run, [R]."""
    count = int(number.max(initial=0)) + 1
    found, position = number_distinct(np.multiply(raw, count, dtype=np.int64) + number)
    return _keys(space, found // count, found % count, where), position


def _keys(space: LabelSpace, raw: Counts, number: Counts, where: str) -> Counts:
    """One number for each segment: space index and instance number; ``raw`` and ``number`` are [N]."""
    index = space.encode(raw, where)
    things = np.array([entry.thing for entry in space.classes])
    numbers = np.where(things[index], number, 0)
    train_ids = [entry.train_id for entry in space.classes]
    first = np.array([n if t == IGNORE_TRAIN_ID else train_ids.index(t) for n, t in enumerate(train_ids)])
    owner = np.where(numbers > 0, index, first[index])
    return np.asarray(owner.astype(np.int64) << _NUMBER_BITS | numbers, np.int64)


def _segments(space: LabelSpace, keys: Counts, pixels: Counts) -> tuple[Segments, Counts]:
    """The segments of one side of the pairs, and the position among them of each pair's."""
    found, position = np.unique(keys, return_inverse=True)
    sizes = np.bincount(position, weights=pixels, minlength=found.size).astype(np.int64)
    indices = found >> _NUMBER_BITS
    train_ids = space.to_train(indices.astype(np.uint8)).astype(np.int64)
    return Segments(indices, train_ids, found & ((1 << _NUMBER_BITS) - 1), sizes), position


def _sum_by_key(keys: Counts, amounts: Counts) -> tuple[Counts, Counts]:
    """The distinct keys, ascending, and the sum of the amounts of each."""
    found, position = number_distinct(keys)
    return found, np.bincount(position, weights=amounts, minlength=found.size).astype(np.int64)
