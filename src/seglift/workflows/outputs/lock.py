"""One writer at a time in an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.locks import file_lock

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
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(work / LOCK_NAME, wait=False))
        except BlockingIOError:
            raise UserError(
                f"another seglift command is writing to {out}; wait until it is done, or choose another --out"
            ) from None
        except OSError as error:
            raise UserError(f"cannot write to {out}: {error.strerror or error}; choose another --out") from error
        yield
