"""What a run has done, one JSON object a line, each flushed to disk: a killed run loses at most the line it wrote."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError


class Journal:
    """A file of entries; a later entry stands above an earlier one of the same thing. Safe to use from threads.

    Args:
        path: the file; need not exist.
        needed: keys that every entry has; lines without them (torn by a crash, say) are left out.
    """

    def __init__(self, path: Path, needed: frozenset[str]) -> None:
        self.path, self.needed = path, needed
        self._lock = threading.Lock()

    def append(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Adds ``entry``, which it returns, and waits until it is on disk.

        Raises:
            UserError: the file cannot be written.
        """
        line = ("\n" + json.dumps(entry, sort_keys=True)).encode()  # a torn line swallows no other
        try:
            with self._lock, self.path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}; free disk space") from error
        return entry

    def entries(self) -> Iterator[dict[str, Any]]:
        """The whole entries in the order in which they were written."""
        lines = self.path.read_text(errors="replace").splitlines() if self.path.is_file() else []
        for line in filter(None, lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and self.needed <= entry.keys():
                yield entry

    def clear(self) -> None:
        """Forgets everything."""
        self.path.unlink(missing_ok=True)
