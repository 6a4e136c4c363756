"""Which item of which source is drawn, and around which point; one by one, or all of an epoch as compact arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.class_index import ClassIndex


@dataclass(frozen=True)
class Draw:
    """An item of a source, and a pixel (row, column) that the crop shall show, or None for anywhere.

    Attributes:
        source: its position among the plan's sources.
        item: its number in the source.
        point: in pixels of the whole label.
    """

    source: int
    item: int
    point: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class EpochDraws(Sequence[Draw]):
    """The draws of one epoch.

    Attributes:
        sources: int16 [n].
        items: int32 [n].
        points: int32 [n, 2], row and column; -1 where none.
        train_ids: int16 [n], class whose centroid the point is; -1 where none.
    """

    sources: NDArray[np.int16]
    items: NDArray[np.int32]
    points: NDArray[np.int32]
    train_ids: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, position: int) -> Draw: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[Draw]: ...

    def __getitem__(self, position: int | slice) -> Draw | Sequence[Draw]:
        """One draw, or several."""
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        row, column = (int(value) for value in self.points[position])
        point = None if row < 0 else (row, column)
        return Draw(int(self.sources[position]), int(self.items[position]), point)

    @classmethod
    def images(cls, source: int, items: NDArray[np.integer]) -> EpochDraws:
        """Draws without a point."""
        count = len(items)
        nowhere, no_class = np.full((count, 2), -1, np.int32), np.full(count, -1, np.int16)
        return cls(np.full(count, source, np.int16), items.astype(np.int32), nowhere, no_class)

    @classmethod
    def join(cls, parts: Sequence[EpochDraws], order: NDArray[np.int64]) -> EpochDraws:
        """Parts one after the other, then in the order given."""
        return cls(
            np.concatenate([part.sources for part in parts])[order],
            np.concatenate([part.items for part in parts])[order],
            np.concatenate([part.points for part in parts])[order],
            np.concatenate([part.train_ids for part in parts])[order],
        )


class CentroidPool:
    """The centroids of a class in several sources, numbered one source after the other.

    Args:
        members: numbers of the sources, with their class indices.
        train_id: the class.
    """

    def __init__(self, members: Sequence[tuple[int, ClassIndex]], train_id: int) -> None:
        self.members, self.train_id = members, train_id
        self.records = [index.of_class(train_id) for _, index in members]
        self.ends = np.cumsum([len(records) for records in self.records])

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.members else 0

    def take(self, numbers: NDArray[np.int64]) -> EpochDraws:
        """The centroids of these numbers."""
        member = np.searchsorted(self.ends, numbers, side="right")
        sources, items = np.zeros(len(numbers), np.int16), np.zeros(len(numbers), np.int32)
        points = np.zeros((len(numbers), 2), np.int32)
        for which, (number, index) in enumerate(self.members):
            here = member == which
            first = self.ends[which] - len(self.records[which])
            records = self.records[which][numbers[here] - first]
            sources[here], items[here], points[here] = number, index.items[records], index.points[records]
        return EpochDraws(sources, items, points, np.full(len(numbers), self.train_id, np.int16))
