"""Stages that several rounds have in common are done once: those of a study, of which many share the teacher."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import TEMPORARY_SUFFIX, atomic_path
from seglift.base.linked import link_or_copy
from seglift.base.locks import file_lock
from seglift.base.progress import say
from seglift.workflows.outputs.folder import JOURNAL_NAME, work_folder
from seglift.workflows.outputs.journal import Journal

ENTRY = frozenset({"stage", "key", "done"})
"""Keys of an entry of the journal of rounds."""
NEVER_CHANGED = (".png", ".jpg", ".jpeg")
"""Suffixes of files that are replaced as a whole, never written into, so that two folders may share them."""


@dataclass(frozen=True)
class SharedStages:
    """Where a stage's folder may be taken from.

    Attributes:
        command: that does the rounds.
        out: OUT of the rounds.
        others: OUT of rounds that may have done the same stage, each a folder of that command; need not exist.
        locks: folder of locks, so that of rounds that run side by side one does a stage while the others wait for it.
    """

    command: str
    out: Path
    others: Sequence[Path]
    locks: Path

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Inside the block nobody else does the stage of that key; waits until that is so.

        Raises:
            UserError: the lock cannot be made.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(self.locks / f"{key[:16]}.lock", wait=True))
            except OSError as error:
                raise UserError(f"cannot write to {self.locks}: {error.strerror or error}; free disk space") from error
            yield

    def take(self, name: str, key: str, products: Sequence[Path]) -> bool:
        """Takes the folder of a stage from other rounds that did it; False where none did.

        Args:
            name: its folder below OUT, which is replaced.
            key: identifies everything that its result depends on.
            products: files below it that are there when it is done.

        Raises:
            UserError: the folder cannot be written.
        """
        target = self.out / name
        part = target.with_name(f".{target.name}{TEMPORARY_SUFFIX}")
        shutil.rmtree(part, ignore_errors=True)  # of a call that was killed while it copied
        found = self._find(key, [path.relative_to(target) for path in products])
        if found is None:
            return False
        say(f"taken from {found}, where the same was done")
        try:
            _copy(found, part)
            if target.is_dir():
                shutil.rmtree(target)
            part.rename(target)
        except OSError as error:
            raise UserError(f"cannot copy {found} to {target}: {error.strerror or error}; free disk space") from error
        return True

    def _find(self, key: str, products: Sequence[Path]) -> Path | None:
        for other in self.others:
            journal = Journal(work_folder(other, self.command) / JOURNAL_NAME, ENTRY)
            last: dict[str, Any] = {entry["stage"]: entry for entry in journal.entries()}
            for entry in last.values():
                folder: Path = other / entry["stage"]
                if entry["done"] and entry["key"] == key and all((folder / path).is_file() for path in products):
                    return folder
        return None


def _copy(source: Path, target: Path) -> None:
    """A folder as another one has it: images are linked, all other files copied."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir()
        elif path.suffix.lower() in NEVER_CHANGED:
            link_or_copy(path, place)
        else:
            with atomic_path(place) as temporary:
                shutil.copyfile(path, temporary)
