"""Turning decoded frames the way a player shows them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

Matrix = tuple[int, int, int, int]
"""The linear part (a, b, c, d) of a display matrix: x' = a x + c y, y' = b x + d y, x to the right and y down."""

IDENTITY: Matrix = (1, 0, 0, 1)


def display_matrix(frame: VideoFrame) -> Matrix:
    """The linear part of a frame's display matrix (nine int32, row by row, as in the QuickTime 'tkhd' atom)."""
    data = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return IDENTITY
    a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
    return a, b, c, d


def orient(image: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """Applies a display matrix, rounded to the nearest of the eight quarter turns and mirrorings.

    Args:
        image: ``uint8 [H, W, C]``.
        matrix: (a, b, c, d) of any common scale.

    Returns:
        ``uint8`` C-contiguous, [H, W, C] or, turned by a quarter, [W, H, C].
    """
    a, b, c, d = matrix
    quarter = abs(b) + abs(c) > abs(a) + abs(d)
    turned = image.transpose(1, 0, 2) if quarter else image
    flip_x, flip_y = (c < 0, b < 0) if quarter else (a < 0, d < 0)
    return np.ascontiguousarray(turned[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
