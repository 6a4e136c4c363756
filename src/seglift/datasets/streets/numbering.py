"""Instance numbers that run per class over a whole clip."""

from __future__ import annotations

from collections import Counter


class Numbers:
    """Hands out 0, 1, 2, ... for each class."""

    def __init__(self) -> None:
        self._next: Counter[int] = Counter()

    def take(self, label: int) -> int:
        """The next number of class ``label``."""
        self._next[label] += 1
        return self._next[label] - 1
