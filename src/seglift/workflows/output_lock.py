"""One writer at a time in an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seglift.base.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows; two runs at once are then the user's to avoid
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "lock"


@contextmanager
def only_writer(out: Path, work: Path) -> Iterator[None]:
    """Holds ``work/lock`` inside the block; the system lets go of it too when the process is killed.

    Args:
        out: the folder that is written to, for the message.
        work: folder in it that holds the lock; made when missing.

    Raises:
        UserError: another process holds it, or the folder cannot be written.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / LOCK_NAME).open("ab")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror or error}; choose another --out") from error
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"another seglift command is writing to {out}; wait until it is done, or choose another --out"
                ) from None
            except OSError:
                pass  # a file system without locks
        yield
