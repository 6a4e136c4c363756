from __future__ import annotations

import numpy as np
import pytest

from seglift.video.orientation import IDENTITY, orient

IMAGE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (IDENTITY, IMAGE),
        ((0, ONE, -ONE, 0), np.rot90(IMAGE, -1)),  # quarter turn clockwise, as phones write it
        ((-ONE, 0, 0, -ONE), np.rot90(IMAGE, 2)),
        ((0, -ONE, ONE, 0), np.rot90(IMAGE, 1)),
        ((-ONE, 0, 0, ONE), IMAGE[:, ::-1]),
        ((ONE, 0, 0, -ONE), IMAGE[::-1]),
        ((0, ONE, ONE, 0), IMAGE.transpose(1, 0, 2)),
        ((0, -ONE, -ONE, 0), np.rot90(IMAGE, 2).transpose(1, 0, 2)),
        ((ONE, 900, -900, ONE), IMAGE),
    ],
)
def test_the_eight_orientations(matrix: tuple[int, int, int, int], expected: np.ndarray):
    turned = orient(IMAGE, matrix)
    np.testing.assert_array_equal(turned, expected)
    assert turned.flags.c_contiguous
    assert turned.dtype == np.uint8


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, 1), (0, 1, 1, 0), (-1, 0, 0, -1)])
def test_pixels_go_where_the_matrix_sends_them(matrix: tuple[int, int, int, int]):
    a, b, c, d = matrix
    height, width = IMAGE.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    there_x, there_y = a * x + c * y, b * x + d * y
    turned = orient(IMAGE, matrix)
    np.testing.assert_array_equal(turned[there_y - there_y.min(), there_x - there_x.min()], IMAGE)
