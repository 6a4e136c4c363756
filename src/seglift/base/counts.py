"""Counts in sentences: ``1 image``, ``3 images``."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """A count with what is counted.

    Args:
        count: how many.
        one: what one of them is called.
        several: what several, and none, are called; None adds an s.

    Example:
        >>> counted(1, "image"), counted(0, "class", "classes")
        ('1 image', '0 classes')
    """
    return f"{count} {one if count == 1 else several or one + 's'}"
