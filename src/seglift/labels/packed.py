"""An RGB pixel as one number, and the distinct numbers of a map found by its runs of equal pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    def spread(self, table: NDArray[np.integer]) -> NDArray[np.integer]:
        """The map with each value replaced by its entry in ``table`` [N], in the dtype of the table."""
        return np.repeat(table[self.runs], self.lengths).reshape(self.shape)


def pack_rgb(rgb: NDArray[np.uint8], red: int = 16, green: int = 8, blue: int = 0) -> NDArray[np.int32]:
    """uint8 [H, W, 3] to int32 [H, W]: each channel shifted left by its number of bits."""
    wide = rgb.astype(np.int32)
    return np.asarray((wide[..., 0] << red) | (wide[..., 1] << green) | (wide[..., 2] << blue), np.int32)


def find_distinct(values: NDArray[np.integer]) -> Distinct:
    """Distinct values of an integer map of any shape with at least one pixel."""
    flat = values.ravel()
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(np.append(starts, flat.size))
    found, runs = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(runs, weights=lengths).astype(np.int64)
    return Distinct(found.astype(np.int64), counts, runs, lengths, values.shape)
