from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.workflows.naive_student.frames import Annotated
from seglift.workflows.naive_student.void_regions import VoidRegions

CITY, CAMVID = BUILTIN_SPACES["cityscapes"], BUILTIN_SPACES["camvid11"]


@dataclass(frozen=True)
class Label:
    """A label map in memory that counts how often it is read."""

    raw: tuple[tuple[int, ...], ...]
    reads: list[int]

    def read(self):
        self.reads.append(1)
        return CITY.encode(np.array(self.raw, np.uint8), "a label")

    def fingerprint(self):
        return "x"

    def __hash__(self):
        return hash(self.raw)


def annotated(*rows):
    return Annotated("a", Label(rows, []), CITY)


def test_ids_1_2_and_3_are_copied_and_nothing_else():
    raw = np.full((2, 4), 7, np.uint8)
    frame = annotated((1, 2, 3, 0), (26, 4, 7, 1))
    void = VoidRegions(None, CITY)
    np.testing.assert_array_equal(void.write(raw, frame, "b"), [[1, 2, 3, 7], [7, 7, 7, 1]])
    np.testing.assert_array_equal(
        VoidRegions(["ego vehicle"], CITY).write(raw, frame, "b"), [[1, 7, 7, 7], [7, 7, 7, 1]]
    )
    assert (raw == 7).all()
    void.write(raw, frame, "c")
    assert len(frame.label.reads) == 2  # once for each VoidRegions


def test_nothing_is_read_where_nothing_is_to_be_copied():
    raw, frame = np.full((3, 3), 7, np.uint8), annotated((1, 1))
    assert VoidRegions([], CITY).write(raw, frame, "b") is raw
    assert VoidRegions(None, CITY).write(raw, None, "b") is raw
    assert frame.label.reads == []


def test_a_space_without_the_class_has_void_there():
    frame = annotated((1, 7))
    void = VoidRegions(None, CAMVID)
    np.testing.assert_array_equal(void.write(np.array([[3, 3]], np.uint8), frame, "b"), [[11, 3]])


def test_another_size_and_classes_that_are_evaluated_are_refused():
    with pytest.raises(UserError, match=r"2x1, frames/b\.png of the same clip is 3x3"):
        VoidRegions(None, CITY).write(np.zeros((3, 3), np.uint8), annotated((1, 7)), "frames/b.png")
    with pytest.raises(UserError, match="void_classes has 'road'"):
        VoidRegions(["road"], CITY)
