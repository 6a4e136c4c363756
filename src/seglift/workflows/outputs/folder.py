"""An output folder that a command may continue: whose it is, what may go on in it, what is cleared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import TEMPORARY_SUFFIX, read_json, remove_leftovers, write_json
from seglift.workflows.outputs.journal import Journal
from seglift.workflows.recipes.differences import differences

RUN_NAME, TIMING_NAME, JOURNAL_NAME = "run.json", "timing.json", "journal.jsonl"


@dataclass(frozen=True)
class OutputKind:
    """What a command leaves in its OUT.

    Attributes:
        command: its name, as ``run.json`` says it.
        results: what its results are called in messages.
        folders: folders of results, deleted when it starts anew.
        files: files of results beside ``run.json``, the same.
        entry: keys of an entry of its journal.
    """

    command: str
    results: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    entry: frozenset[str]


def work_folder(folder: Path, command: str) -> Path:
    """Where a command keeps lock and journal in its OUT."""
    return folder / f".seglift-{command}"


class OutputFolder:
    """An output folder.

    Args:
        folder: OUT.
        identity: what a run must share with an earlier one to continue it (JSON-serialisable).
        kind: what is to lie there.

    Attributes:
        folder: OUT.
        work: where lock and journal are.
        journal: what is done.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], kind: OutputKind) -> None:
        self.folder, self.identity, self.kind = folder, identity, kind
        self.work = work_folder(folder, kind.command)
        self.journal = Journal(self.work / JOURNAL_NAME, kind.entry)

    def check(self, overwrite: bool) -> None:
        """Whether the folder may be used; touches nothing.

        Raises:
            UserError: it cannot be written, holds other things, or another run's results and ``overwrite`` is off.
        """
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise UserError(f"--out {self.folder} is a file; give a folder")
            above = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
            if not above.is_dir() or not os.access(above, os.W_OK):
                raise UserError(f"cannot write to {self.folder}: {above} cannot be written; choose another --out")
            present = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        except OSError as error:
            raise UserError(f"cannot use {self.folder}: {error.strerror or error}; choose another --out") from error
        if all(name == self.work.name or name.endswith(TEMPORARY_SUFFIX) for name in present):
            return  # empty, or a run was killed before it wrote its first file
        run, kind = self.folder / RUN_NAME, self.kind
        found = read_json(run) if run.is_file() else {}
        if not isinstance(found, dict) or found.get("command") != kind.command:
            raise UserError(
                f"{self.folder} holds other files than those of seglift {kind.command}; choose another --out"
            )
        before = found.get("identity", {})
        different = differences({name: before.get(name) for name in self.identity}, self.identity)
        if different and not overwrite and any(self.journal.entries()):
            raise UserError(
                f"{self.folder} holds {kind.results} made otherwise ({different}); "
                "run with the old options, choose another --out, or start anew with --overwrite"
            )

    def open(self, about: dict[str, Any], overwrite: bool, products: Sequence[str]) -> None:
        """Takes the folder into use; the caller is its only writer and has called :meth:`check`.

        Args:
            about: more that ``run.json`` is to say.
            overwrite: delete what an earlier run left.
            products: of the kind's folders, those that results will be written to.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            if overwrite or not any(self.journal.entries()):
                for name in self.kind.folders:
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                for name in self.kind.files:
                    (self.folder / name).unlink(missing_ok=True)
                self.journal.clear()
            self.write_run(about)  # comes first, so that after a crash OUT is known to be ours
            self.work.mkdir(parents=True, exist_ok=True)
            for name in products:
                (self.folder / name).mkdir(exist_ok=True)
                self.clean(name)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write to {self.folder}: {reason}; choose another --out") from error
        remove_leftovers(self.folder)

    def clean(self, name: str) -> None:
        """Deletes temporary files that a killed run left in a folder of results and below it."""
        for folder in [self.folder / name, *(self.folder / name).rglob("*/")]:
            remove_leftovers(folder)

    def write_run(self, about: dict[str, Any]) -> None:
        """Writes ``run.json``."""
        write_json(self.folder / RUN_NAME, {"command": self.kind.command, "identity": self.identity, **about})
