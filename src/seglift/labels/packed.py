"""An RGB pixel as one number; the runs of equal pixels of maps, and the distinct numbers found by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.integer)

_TABLE = 1 << 20
"""Below this value a table of all values is faster than sorting."""
_BLOCK = 1 << 18
"""Pixels that are looked at together."""


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct values of a map; label maps have few and long runs, so this is far cheaper than sorting all pixels.

    Attributes:
        values: int64 [N], ascending.
        counts: int64 [N], pixels of each.
        runs: int64 [R], position in ``values`` of each run of equal pixels, in reading order.
        lengths: int64 [R], pixels of each run.
        shape: of the map.
    """

    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    runs: NDArray[np.int64]
    lengths: NDArray[np.int64]
    shape: tuple[int, ...]

    def spread(self, table: NDArray[Value]) -> NDArray[Value]:
        """The map with each value replaced by its entry in ``table`` [N], in the dtype of the table."""
        return np.repeat(table[self.runs], self.lengths).reshape(self.shape)


def pack_rgb(rgb: NDArray[np.uint8], red_lowest: bool = False) -> NDArray[np.int32]:
    """uint8 [H, W, 3] to int32 [H, W]: 65536 R + 256 G + B, or R + 256 G + 65536 B with ``red_lowest``."""
    # Four bytes a pixel, the lowest first, are the number; the fourth is an opaque alpha.
    four = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA if red_lowest else cv2.COLOR_RGB2BGRA)
    packed: NDArray[np.int32] = four.view("<i4")[..., 0]
    packed &= 0xFFFFFF
    return packed


def number_distinct(values: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The distinct values of an integer [N], ascending, and the position of each of the N among them."""
    highest = int(values.max(initial=0))
    if highest >= _TABLE or int(values.min(initial=0)) < 0:
        return np.unique(values.astype(np.int64), return_inverse=True)
    present = np.zeros(highest + 1, np.bool_)
    present[values] = True
    found = np.flatnonzero(present)
    position = np.empty(highest + 1, np.intp)
    position[found] = np.arange(found.size)
    return found, position[values]


def find_runs(maps: Sequence[NDArray[Any]]) -> tuple[NDArray[np.intp], list[NDArray[Any]]]:
    """Runs of pixels, in reading order, that are equal in each of the maps of one shape.

    Returns:
        intp [R], the length of each run, and of each map its values there, [R]. Long maps are looked at in blocks that
        fit the processor's cache, at whose borders runs are cut.
    """
    flat = [values.ravel() for values in maps]
    starts, found = [], []
    for first in range(0, max(flat[0].size, 1), _BLOCK):
        parts = [values[first : first + _BLOCK] for values in flat]
        begins = np.zeros(parts[0].size, np.bool_)
        begins[:1] = True
        for part in parts:
            begins[1:] |= part[1:] != part[:-1]
        inside = np.flatnonzero(begins)
        starts.append(inside + first)
        found.append([part[inside] for part in parts])
    ends = np.append(np.concatenate(starts), flat[0].size)
    return np.diff(ends), [np.concatenate(values) for values in zip(*found, strict=True)]


def find_distinct(values: NDArray[np.integer]) -> Distinct:
    """Distinct values of an integer map of any shape."""
    lengths, (first,) = find_runs([values])
    found, runs = number_distinct(first)
    counts = np.bincount(runs, weights=lengths).astype(np.int64)
    return Distinct(found, counts, runs, lengths, values.shape)
