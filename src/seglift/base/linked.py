"""Files that are to lie in two places."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import TEMPORARY_SUFFIX, write_bytes


def link_or_copy(source: Path, target: Path) -> None:
    """Makes ``target`` the same file as ``source`` (a hard link), or where that cannot be a copy of it; atomically.

    Linked files take no space twice. Removing or replacing one leaves the other; writing into one changes both.

    Args:
        source: a file.
        target: appears whole; the folder is made when missing.

    Raises:
        UserError: one of them cannot be read or written.
    """
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return
        os.link(source.resolve(), temporary)
        temporary.replace(target)
    except OSError:
        _copy(source, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {source}: {error.strerror or error}; check it") from error
    write_bytes(target, data)
