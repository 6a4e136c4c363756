"""Arrays that are costly to make, kept while they fit in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class HasSize(Protocol):
    """An array of numpy or torch."""

    @property
    def nbytes(self) -> int:
        """Bytes of its content."""


Arrays = TypeVar("Arrays", bound=HasSize)


class ArrayCache(Generic[Arrays]):
    """The arrays used last.

    Args:
        limit: bytes that may be kept; a larger array is made each time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[Hashable, Arrays] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Arrays]) -> Arrays:
        """What ``make`` gave or gives for ``key``; not to be written to."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        if made.nbytes <= self.limit:
            self._kept[key] = made
            self._bytes += made.nbytes
            while self._bytes > self.limit:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.nbytes
        return made
