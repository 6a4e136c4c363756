"""Coarse annotation simulated from fine labels: a few quick polygons inside the objects, nothing near boundaries.

Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 4, simulate the
coarse labels of BDD100K; how, only their supplement says. The rule here is ours: every object is shrunk by a margin
that grows with its size, what is left is outlined by a polygon of few corners, and small rests are not worth an
annotator's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace, look_up

NEVER_FILLED = ("ego vehicle", "rectification border", "out of roi")
"""Void classes that belong to the camera, not to the scene: coarse labels keep them (ids 1 to 3 of Cityscapes), nobody
fills them, and they are at the same place in all frames of a clip."""
HEIGHT = 720
"""Height of the images that the next three are meant for; other heights scale them."""
NARROWEST, WIDEST = 2.0, 25.0
"""Least and largest margin, pixels."""
SMALLEST_REST = 200.0
"""Least area of what is outlined, pixels."""
DETAIL = 0.01
"""Largest distance of a polygon from the outline that it simplifies, as a share of the outline's length."""
LARGEST_STRENGTH = WIDEST / math.sqrt(SMALLEST_REST)
"""From this strength on every object large enough to be outlined has the widest margin."""


def check_coarsenable(space: LabelSpace) -> None:
    """Refuses a space in which nothing can be left unlabelled.

    Raises:
        UserError: the space has no void.
    """
    if space.ignore is None:
        raise UserError(
            f"label space {space.name} has no void, which coarse labels need where nobody draws; choose a space with"
            " ignore"
        )


def coarsen(label: Array8, space: LabelSpace, strength: float) -> Array8:
    """A label as an annotator in a hurry would have drawn it.

    Each connected part (of 8 neighbours) of an evaluated class, specks of void in it filled, is eroded by
    ``r = clip(strength * sqrt(area), 2, 25)`` pixels. Of what is left, each connected piece of at least 200 pixels is
    outlined: its outer border and those of its holes, simplified by Douglas and Peucker's rule to within 0.01 of their
    length. What lies inside, and in the part itself, keeps its class. Pixels are those of an image 720 pixels high:
    margins scale with the height, areas with its square. The edge of the image is no boundary; objects are outlined up
    to it.

    Args:
        label: uint8 [H, W] space index.
        space: label space, with a void.
        strength: of the erosion, >= 0; the larger, the less is labelled.

    Returns:
        uint8 [H, W] space index: what was there, or ``space.unknown_index``; the void classes :data:`NEVER_FILLED` stay
        what they are, other void and classes that are not evaluated become unknown.

    Raises:
        UserError: the space has no void.
        ValueError: a negative strength, or values that are no index of the space.
    """
    check_coarsenable(space)
    if not strength >= 0:
        raise ValueError(f"a strength >= 0 expected, got {strength}")
    void = space.to_train(label) == IGNORE_TRAIN_ID
    never = never_filled(label, space)
    coarse = np.where(never, label, np.uint8(space.unknown_index))
    scale = label.shape[0] / HEIGHT
    for index in np.flatnonzero(np.bincount(label[~void], minlength=1)).tolist():
        _, parts, boxes, _ = cv2.connectedComponentsWithStats((label == index).astype(np.uint8), connectivity=8)
        for number in np.flatnonzero(boxes[:, cv2.CC_STAT_AREA] >= SMALLEST_REST * scale**2).tolist():
            if number > 0:
                place = _Place(*boxes[number, :4].tolist(), *label.shape)
                part = (parts[place.box] == number).astype(np.uint8)
                drawn = _draw(part, (void & ~never)[place.box], place, strength, scale)
                coarse[place.box][drawn] = index
    return coarse


def never_filled(label: Array8, space: LabelSpace) -> NDArray[np.bool_]:
    """Where the void classes :data:`NEVER_FILLED` are; bool [H, W] of a label uint8 [H, W] of space index."""
    table = np.zeros(256, np.uint8)
    for index, entry in enumerate(space.classes):
        table[index] = entry.train_id == IGNORE_TRAIN_ID and entry.name in NEVER_FILLED
    return look_up(table, label) > 0


def labelled_share(label: Array8, space: LabelSpace) -> float:
    """Share 0..1 of an image that has an evaluated class, its never filled regions left out; 1 where nothing else is.

    Args:
        label: uint8 [H, W] space index.
        space: its label space.
    """
    drawn = int(np.count_nonzero(space.to_train(label) != IGNORE_TRAIN_ID))
    whole = label.size - int(np.count_nonzero(never_filled(label, space)))
    return drawn / whole if whole else 1.0


@dataclass(frozen=True)
class _Place:
    """The box of a part in its image, pixels."""

    left: int
    top: int
    width: int
    height: int
    image_height: int
    image_width: int

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def inner_sides(self) -> tuple[int, int, int, int]:
        """Top, bottom, left, right: 0 where the box touches the image's edge, 1 where something lies beyond."""
        bottom, right = self.top + self.height, self.left + self.width
        beyond = (self.top > 0, bottom < self.image_height, self.left > 0, right < self.image_width)
        top_side, bottom_side, left_side, right_side = (int(one) for one in beyond)
        return top_side, bottom_side, left_side, right_side


def _draw(part: Array8, void: NDArray[np.bool_], place: _Place, strength: float, scale: float) -> NDArray[np.bool_]:
    """What of a part, uint8 [h, w] of 0 and 1, is labelled coarsely; bool [h, w]."""
    smallest = SMALLEST_REST * scale**2
    area = np.count_nonzero(part) / scale**2
    margin = scale * min(max(strength * math.sqrt(area), NARROWEST), WIDEST)
    rest = _eroded(_without_specks(part, void, smallest), margin, place.inner_sides)
    return (_outlined(rest, smallest) & part) > 0


def _without_specks(part: Array8, void: NDArray[np.bool_], smallest: float) -> Array8:
    """A part with its holes of less than ``smallest`` pixels filled where they are void: nobody would draw them."""
    _, holes, boxes, _ = cv2.connectedComponentsWithStats(1 - part, connectivity=4)
    left, top, width, height, area = boxes.T
    open_ended = (left == 0) | (top == 0) | (left + width == part.shape[1]) | (top + height == part.shape[0])
    voids = np.bincount(holes.ravel(), weights=void.ravel(), minlength=len(boxes))
    specks = ~open_ended & (area < smallest) & (voids == area)
    specks[0] = False  # the part itself
    filled: Array8 = part | specks.astype(np.uint8)[holes]
    return filled


def _eroded(part: Array8, margin: float, sides: tuple[int, int, int, int]) -> Array8:
    """The pixels of a part farther than ``margin`` pixels from all outside of it; the image's edge is no boundary."""
    framed = cv2.copyMakeBorder(part, *sides, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rows, columns = part.shape
    rest: Array8 = (distance[sides[0] : sides[0] + rows, sides[2] : sides[2] + columns] > margin).astype(np.uint8)
    return rest


def _outlined(rest: Array8, smallest: float) -> Array8:
    """Polygons around the pieces of ``rest`` that have at least ``smallest`` pixels, their holes left out."""
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
    drawn = np.zeros_like(rest)
    for number in range(1, count):
        left, top, width, height, area = statistics[number].tolist()
        if area < smallest:
            continue
        piece = (pieces[top : top + height, left : left + width] == number).astype(np.uint8)
        outlines, _ = cv2.findContours(piece, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
        corners = [cv2.approxPolyDP(line, DETAIL * cv2.arcLength(line, True), True) for line in outlines]
        cv2.fillPoly(drawn, corners, 1)
    return drawn
