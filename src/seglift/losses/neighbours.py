"""Which classes lie in the window around a pixel, as far as labels say it: the sets that relaxation sums over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from seglift.losses.pixels import IGNORE

AT_ONCE = 9


@dataclass(frozen=True, eq=False)
class NeighbourSets:
    """The set N(p) of every pixel, written out only where it holds more than one class.

    Attributes:
        target: uint8 [B, H, W], the pixel's class (the only one of its set away from boundaries); 255 where no set is.
        boundary: int64 [P], ascending places in the flattened [B, H, W] whose set holds several classes.
        allowed: bool [C, P], the sets of those places.
    """

    target: Tensor
    boundary: Tensor
    allowed: Tensor


def window_maximum(padded: Tensor, radius: int) -> Tensor:
    """The largest value of each pixel's (2 * radius + 1)^2 window, along rows, then along columns.

    Args:
        padded: integer [..., H + 2 * radius, W + 2 * radius], images with a border.
        radius: pixels, >= 0.

    Returns:
        The same dtype, [..., H, W].
    """
    for dimension in (-1, -2):
        length = padded.shape[dimension] - 2 * radius
        padded = reduce(torch.maximum, (padded.narrow(dimension, shift, length) for shift in range(2 * radius + 1)))
    return padded


def neighbour_sets(
    target: Tensor,
    num_classes: int,
    radius: int = 1,
    void_center: str = "ignore",
    strict_classes: Sequence[int] = (),
) -> NeighbourSets:
    """The classes in the window around every pixel (Zhu et al. 2019, section 3.4).

    Void never enters a set, nor does what lies outside of the image.

    Args:
        target: uint8 or int64 [B, H, W], 0..num_classes-1, 255 = void.
        num_classes: 1..255.
        radius: of the window in pixels; 1 is 3 x 3, 0 gives every pixel its own class.
        void_center: ``ignore``: a void pixel has no set; ``reference``: it has that of its window, as in the code
            released with the paper.
        strict_classes: pixels of these classes keep their own class alone.

    Returns:
        The sets.

    Raises:
        ValueError: a target that is neither a class nor 255.
    """
    labels = target.to(torch.uint8)
    images, height, width = labels.shape
    coded = labels.new_zeros((2, images, height + 2 * radius, width + 2 * radius))
    inner = coded[..., radius : radius + height, radius : radius + width]
    torch.add(labels, 1, out=inner[0])  # 255 becomes 0, as what lies outside
    torch.bitwise_not(labels, out=inner[1])
    if labels.numel() and int(coded[0].max()) > num_classes:
        raise ValueError(f"targets of 0..{num_classes - 1} or {IGNORE} expected, got {int(coded[0].max()) - 1}")
    if radius == 0:
        nothing = torch.zeros(0, dtype=torch.int64, device=target.device)
        return NeighbourSets(labels, nothing, nothing.bool().expand(num_classes, 0))
    # the largest of label + 1 and of 255 - label add up to 256 where a window shows one class, to 0 where it shows none
    largest = window_maximum(coded, radius)
    boundary = (largest[0] + largest[1]).flatten().nonzero().squeeze(1)
    if void_center == "ignore":
        boundary = boundary[labels.flatten()[boundary] != IGNORE]
    else:
        labels = torch.where(labels == IGNORE, ~largest[1], labels)
    if len(strict_classes):
        strict = torch.zeros(256, dtype=torch.bool, device=target.device)
        strict[list(strict_classes)] = True
        boundary = boundary[~strict[target.flatten()[boundary].long()]]
    return NeighbourSets(labels, boundary, _members(coded[0], num_classes, radius, boundary))


def _members(coded: Tensor, num_classes: int, radius: int, places: Tensor) -> Tensor:
    """The classes in the windows around some places of the images.

    Args:
        coded: uint8 [B, H + 2 * radius, W + 2 * radius], label + 1, or 0 where no label is.
        num_classes: C.
        radius: of the windows.
        places: int64 [P] in the flattened [B, H, W].

    Returns:
        bool [C, P].
    """
    side = coded.shape[2]
    height, width = coded.shape[1] - 2 * radius, side - 2 * radius
    rows = places.div(width, rounding_mode="floor")
    rows_above = rows + rows.div(height, rounding_mode="floor") * (2 * radius)
    corners = rows_above * side + places - rows * width
    across = torch.arange(2 * radius + 1, device=coded.device)
    offsets = (across[:, None] * side + across).flatten()
    members = torch.zeros((num_classes + 1, len(places)), dtype=torch.bool, device=coded.device)
    for first in range(0, len(offsets), AT_ONCE):
        shown = coded.flatten()[offsets[first : first + AT_ONCE, None] + corners]
        members.scatter_(0, shown.long(), True)
    return members[1:]
