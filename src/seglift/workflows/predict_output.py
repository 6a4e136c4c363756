"""The output folder of ``seglift predict``: whole files, a journal of what is done, and what may be continued."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import read_json, remove_leftovers, write_json
from seglift.labels.space import Array8
from seglift.labels.writing import write_png

COMMAND = "predict"
WORK_FOLDER = ".seglift-predict"
LABELS, CONFIDENCE, COLOR = "labels", "confidence", "color"
FOLDERS = (LABELS, CONFIDENCE, COLOR)
RUN_NAME, TIMING_NAME, JOURNAL_NAME = "run.json", "timing.json", "journal.jsonl"


@dataclass(frozen=True)
class PredictedFrame:
    """What is written for one frame.

    Attributes:
        labels: uint8 [H, W] raw ids of the space.
        confidence: uint8 [H, W], 0..255 = 0..1; None where it was not asked for.
        color: uint8 [H, W, 3] RGB; None where it was not asked for.
    """

    labels: Array8
    confidence: Array8 | None = None
    color: Array8 | None = None


class PredictOutput:
    """An output folder.

    Args:
        folder: OUT.
        identity: what a run must share with an earlier one to continue it (JSON-serialisable).
        products: of ``FOLDERS``, those that are asked for; a frame counts as done when it has all of them.

    Attributes:
        folder: OUT.
        work: where lock and journal are.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], products: tuple[str, ...]) -> None:
        self.folder, self.work, self.identity, self.products = folder, folder / WORK_FOLDER, identity, products
        self._journal = self.work / JOURNAL_NAME
        self._lock = threading.Lock()
        self._listed: set[str] = set()

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
        if not present - {WORK_FOLDER}:
            return
        run = self.folder / RUN_NAME
        found = read_json(run) if run.is_file() else {}
        if not isinstance(found, dict) or found.get("command") != COMMAND:
            raise UserError(f"{self.folder} holds other files than those of seglift predict; choose another --out")
        before = found.get("identity", {})
        different = [
            f"{name} {json.dumps(before.get(name))[:40]} -> {json.dumps(value)[:40]}"
            for name, value in self.identity.items()
            if before.get(name) != value
        ]
        if different and not overwrite and any(self._entries()):
            raise UserError(
                f"{self.folder} holds predictions made otherwise ({'; '.join(different)}); "
                "run with the old options, choose another --out, or start anew with --overwrite"
            )

    def open(self, about: dict[str, Any], overwrite: bool) -> None:
        """Takes the folder into use; the caller is its only writer and has called :meth:`check`.

        Args:
            about: more that ``run.json`` is to say.
            overwrite: delete what an earlier run left.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            if overwrite or not any(self._entries()):
                for name in FOLDERS:
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                self._journal.unlink(missing_ok=True)
            self.write_run(about)  # comes first, so that after a crash OUT is known to be ours
            self.work.mkdir(parents=True, exist_ok=True)
            for name in self.products:
                (self.folder / name).mkdir(exist_ok=True)
                for folder in [self.folder / name, *(self.folder / name).rglob("*/")]:
                    remove_leftovers(folder)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write to {self.folder}: {reason}; choose another --out") from error
        remove_leftovers(self.folder)
        self._listed = {str(entry.get("stem")) for entry in self._entries()}

    def write_run(self, about: dict[str, Any]) -> None:
        """Writes ``run.json``."""
        write_json(self.folder / RUN_NAME, {"command": COMMAND, "identity": self.identity, **about})

    def done(self) -> dict[str, str]:
        """Fingerprint of the picture by name, for the frames whose files are all there."""
        found = {entry["stem"]: entry["picture"] for entry in self._entries()}
        return {
            stem: picture
            for stem, picture in found.items()
            if picture is not None and all(self.path(name, stem).is_file() for name in self.products)
        }

    def path(self, product: str, stem: str) -> Path:
        """Where a frame's file lies; ``stem`` may have folders in it."""
        return self.folder / product / f"{stem}.png"

    def write_frame(self, stem: str, result: PredictedFrame, entry: dict[str, Any]) -> dict[str, Any]:
        """Writes the files of one frame, then its line in the journal (``entry``), which it returns.

        Safe to call from several threads, each with other stems.
        """
        with self._lock:
            if stem in self._listed:
                self._append({"stem": stem, "picture": None})
            self._listed.add(stem)
        for name, array in ((CONFIDENCE, result.confidence), (COLOR, result.color), (LABELS, result.labels)):
            if array is not None:
                write_png(self.path(name, stem), array)
        with self._lock:
            return self._append({"stem": stem, **entry})

    def _append(self, entry: dict[str, Any]) -> dict[str, Any]:
        try:
            with self._journal.open("ab") as file:
                file.write(("\n" + json.dumps(entry, sort_keys=True)).encode())  # a torn line swallows no other
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self._journal}: {error.strerror or error}; free disk space") from error
        return entry

    def _entries(self) -> Iterator[dict[str, Any]]:
        lines = self._journal.read_text(errors="replace").splitlines() if self._journal.is_file() else []
        for line in filter(None, lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "stem" in entry and "picture" in entry:
                yield entry
