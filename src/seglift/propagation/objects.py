"""Which object each pixel of a frame belongs to, out of the objects that the keyframes on both sides show.

Objects are carried as codes of one keyframe, sampled where the traced labels come from. The labels decide: a pixel
takes the object of a keyframe only where that object has the pixel's class. Which objects of the two keyframes are the
same is left open here (:mod:`seglift.propagation.object_tracks`); how far they overlap where both are seen tells it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.motion.maps import map_from_flow, outside
from seglift.motion.warp import warp_labels
from seglift.propagation.provenance import EARLIER, LATER
from seglift.propagation.state import Propagated

Codes = NDArray[np.uint16]
LATER_CODE = 1 << 15
"""Added to the codes of the later keyframe, where a map holds those of both."""
MOST_OBJECTS = LATER_CODE - 1
"""A keyframe may show that many objects and crowds, their codes are 1, 2, ..."""
NOT_AT_ALL = -1
"""The class of code 0."""


@dataclass(frozen=True, eq=False)
class CarriedObjects:
    """One keyframe's objects on a frame.

    Attributes:
        codes: int16 ``[H, W]``, 0 where the keyframe shows no object, else a code of the keyframe.
        classes: int64 ``[K + 1]``, raw id of the class of each code, :data:`NOT_AT_ALL` for code 0.
        in_view: bool ``[H, W]``, where the keyframe could show what is here.
        distance: frames from the keyframe.
    """

    codes: NDArray[np.int16]
    classes: NDArray[np.int64]
    in_view: NDArray[np.bool_]
    distance: int


def carry_objects(codes: Tensor, classes: NDArray[np.int64], state: Propagated) -> CarriedObjects:
    """Samples a keyframe's objects where the labels of ``state`` come from, by nearest neighbour.

    The composed map is read, also where labels are warped at every step (the papers').

    Args:
        codes: int16 ``[1, H, W]`` on the keyframe.
        classes: of the codes, see :class:`CarriedObjects`.
        state: of that keyframe on the frame, batch size 1.
    """
    carried = warp_labels(codes, state.sampling_map)[0].cpu().numpy()
    return CarriedObjects(carried, classes, ~state.out_of_view[0].cpu().numpy(), state.distance)


def choose_objects(
    raw: NDArray[np.uint8],
    provenance: NDArray[np.uint8],
    things: NDArray[np.bool_],
    earlier: CarriedObjects | None,
    later: CarriedObjects | None,
) -> Codes:
    """Gives every pixel of a thing its object.

    It is that of the keyframe which gave the label, else of the nearer one, if of the label's class; then that of the
    other keyframe, if of that class and in view. A pixel that no such object reached takes that of the nearest pixel
    within the connected region of its class (:func:`spread_codes`); a region that none reached has none.

    Args:
        raw: uint8 ``[H, W]`` raw ids of the frame's labels.
        provenance: uint8 ``[H, W]``, see :mod:`seglift.propagation.provenance`.
        things: bool ``[256]``, which raw ids are things.
        earlier: objects of the keyframe before, None where nothing was carried from it.
        later: of the keyframe after.

    Returns:
        uint16 ``[H, W]``: 0 where there is no object, a code of the earlier keyframe, or :data:`LATER_CODE` plus one of
        the later.
    """
    chosen = np.zeros(raw.shape, np.uint16)
    pixels = np.flatnonzero(things[raw])
    if pixels.size == 0 or (earlier is None and later is None):
        return chosen
    label, source = raw.ravel()[pixels], provenance.ravel()[pixels]
    first, second = _usable(earlier, label, source == EARLIER, pixels), _usable(later, label, source == LATER, pixels)
    second[second > 0] += LATER_CODE
    earlier_is_nearer = later is None or (earlier is not None and earlier.distance <= later.distance)
    prefer_first = (source == EARLIER) | ((source != LATER) & earlier_is_nearer)
    best, other = np.where(prefer_first, first, second), np.where(prefer_first, second, first)
    chosen.ravel()[pixels] = np.where(best > 0, best, other)
    spread_codes(chosen, raw, things)
    return chosen


def _usable(
    carried: CarriedObjects | None, label: NDArray[np.uint8], is_source: NDArray[np.bool_], pixels: NDArray[np.int64]
) -> Codes:
    """Codes uint16 ``[N]`` of some pixels, 0 where of another class or neither in view nor the label's source."""
    if carried is None:
        return np.zeros(pixels.size, np.uint16)
    codes = carried.codes.ravel()[pixels]
    usable = (carried.classes[codes] == label) & (carried.in_view.ravel()[pixels] | is_source)
    return np.where(usable, codes, 0).astype(np.uint16)


def spread_codes(codes: Codes, raw: NDArray[np.uint8], things: NDArray[np.bool_]) -> None:
    """Gives pixels of things without code that of the nearest pixel (Euclidean) of their region that has one, in place.

    A region is what is connected (8 neighbours) and of one class. Regions without any code stay without.

    Args:
        codes: uint16 ``[H, W]``.
        raw: uint8 ``[H, W]`` raw ids.
        things: bool ``[256]``, which raw ids are things.
    """
    missing = things[raw] & (codes == 0)
    if not missing.any():
        return
    for value in np.unique(raw[missing]).tolist():
        rows, columns = _bounds(raw == value)
        mask = raw[rows, columns] == value
        inner, lacking = codes[rows, columns], missing[rows, columns]
        _, regions, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        incomplete = np.intersect1d(regions[mask & lacking], regions[mask & (inner > 0)])
        for region in incomplete.tolist():
            left, top, width, height, _ = boxes[region]
            area = np.s_[top : top + height, left : left + width]
            _spread_in(inner[area], regions[area] == region)


def _spread_in(codes: Codes, region: NDArray[np.bool_]) -> None:
    from scipy import ndimage  # slow to import, and labels without instances need none

    known = region & (codes > 0)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    lacking = region & ~known
    codes[lacking] = codes[nearest[0][lacking], nearest[1][lacking]]


def _bounds(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def count_overlaps(earlier: CarriedObjects, later: CarriedObjects) -> list[list[int]]:
    """How many pixels each object of the earlier keyframe shares with each of the later one, where both are in view.

    Returns:
        ``[code of the earlier, code of the later, pixels]`` in rising order; code 0 stands for no object, so that the
        rows of a code add up to its size.
    """
    both = earlier.in_view & later.in_view & ((earlier.codes > 0) | (later.codes > 0))
    joint = earlier.codes[both].astype(np.int64) << 16 | later.codes[both].astype(np.int64)
    keys, counts = np.unique(joint, return_counts=True)
    return [[key >> 16, key & 0xFFFF, count] for key, count in zip(keys.tolist(), counts.tolist(), strict=True)]


def overlaps_by_flow(flow: Tensor, here: Codes, there: Codes) -> list[list[int]]:
    """Overlaps of the objects of one frame with those of the next, for keyframes that reach no frame together.

    Args:
        flow: on the next frame, samples the one before, float32 ``[1, 2, H, W]`` in pixels.
        here: uint16 ``[H, W]``, codes below :data:`LATER_CODE` on the frame before.
        there: the same on the next frame.

    Returns:
        As :func:`count_overlaps`.
    """
    step_map = map_from_flow(flow)
    carried = warp_labels(torch.from_numpy(here.astype(np.int16))[None].to(flow.device), step_map)[0].cpu().numpy()
    in_view = ~outside(step_map, *here.shape)[0].cpu().numpy()
    classes = np.empty(0, np.int64)
    seen = np.ones(there.shape, np.bool_)
    earlier = CarriedObjects(carried, classes, in_view, 1)
    return count_overlaps(earlier, CarriedObjects(there.astype(np.int16), classes, seen, 0))
