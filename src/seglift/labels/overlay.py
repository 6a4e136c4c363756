"""Labels drawn over pictures, for people."""

from __future__ import annotations

import cv2
import numpy as np

from seglift.labels.space import Array8, LabelSpace

_EDGE = (255, 255, 255)


def overlay(image: Array8, index: Array8, space: LabelSpace, alpha: float = 0.5, edges: bool = True) -> Array8:
    """The picture tinted with the classes' colours; where the label is ``ignore`` the picture shows through untouched.

    Args:
        image: uint8 [H, W, 3] RGB.
        index: uint8 [H, W] space index.
        space: gives the colours.
        alpha: share of the colour, 0..1.
        edges: draw a white line, one pixel wide, where the class changes.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        ValueError: sizes differ or ``alpha`` is not in 0..1.
    """
    if image.shape != (*index.shape, 3):
        raise ValueError(f"image {image.shape} and label {index.shape} must have one size")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be 0..1, got {alpha}")
    drawn: Array8 = cv2.addWeighted(image, 1 - alpha, space.colorize(index), alpha, 0)
    if space.ignore is not None:
        unknown = index == space.unknown_index
        drawn[unknown] = image[unknown]
    if edges:
        drawn[find_edges(index)] = _EDGE
    return drawn


def find_edges(index: Array8) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Bool [H, W]: the pixel's class differs from that of its right or lower neighbour."""
    edges = np.zeros(index.shape, np.bool_)
    edges[:, :-1] |= index[:, :-1] != index[:, 1:]
    edges[:-1] |= index[:-1] != index[1:]
    return edges
