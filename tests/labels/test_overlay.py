from __future__ import annotations

import numpy as np
import pytest

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.overlay import find_edges, overlay

SPACE = BUILTIN_SPACES["camvid11"]
IMAGE = np.full((3, 4, 3), 100, np.uint8)


def test_colors_are_blended_and_void_shows_the_picture():
    index = np.array([[3, 3, 11, 11]] * 3, np.uint8)
    drawn = overlay(IMAGE, index, SPACE, alpha=0.25, edges=False)
    wanted = np.round(0.75 * 100 + 0.25 * np.array(SPACE.classes[3].color))
    assert np.abs(drawn[:, :2] - wanted).max() <= 1
    assert (drawn[:, 2:] == 100).all() and (IMAGE == 100).all()


def test_edges_are_white_where_the_class_changes():
    index = np.array([[3, 3, 4, 4], [3, 3, 4, 4], [5, 5, 5, 5]], np.uint8)
    edges = [[False, True, False, False], [True, True, True, True], [False] * 4]
    assert find_edges(index).tolist() == edges
    white = (overlay(IMAGE, index, SPACE) == 255).all(axis=2)
    assert white.tolist() == edges


def test_wrong_sizes_and_alpha():
    with pytest.raises(ValueError, match="one size"):
        overlay(IMAGE, np.zeros((3, 3), np.uint8), SPACE)
    with pytest.raises(ValueError, match="alpha"):
        overlay(IMAGE, np.zeros((3, 4), np.uint8), SPACE, alpha=1.5)
