"""Locks between processes, kept in files; the system lets go of them when a process ends, however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows; two runs at once are then the user's to avoid
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def file_lock(path: Path, wait: bool) -> Iterator[None]:
    """Holds the lock ``path`` inside the block; the file and its folder are made when missing.

    On systems and file systems without locks, the block runs without one.

    Args:
        path: the lock's file.
        wait: whether to wait until whoever holds it lets go.

    Raises:
        BlockingIOError: somebody holds it, and ``wait`` is off.
        OSError: the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise
            except OSError:
                pass  # a file system without locks
        yield
