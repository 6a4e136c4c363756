"""The output folder of ``seglift label``: whole files, a journal of what is done, and what may be continued.

A frame counts as done when its PNGs are in place and its line is in the journal, in that order, each flushed to disk;
so a run killed at any moment loses at most the frames it was working on. Before PNGs that the journal already tells of
are replaced, a line without a key takes back what it told.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import read_json, remove_leftovers, write_bytes, write_json
from seglift.labels.writing import encode_png
from seglift.propagation.provenance import PROVENANCE_NAMES
from seglift.workflows.outputs.lock import LOCK_NAME
from seglift.workflows.recipes.differences import differences

FOLDERS = ("labels", "confidence", "provenance")
INSTANCES = "instances"
COCO_NAME = "instances.json"
PRODUCTS = (*FOLDERS, INSTANCES, COCO_NAME, "frames.jsonl", "run.json", "timing.json", "report.html")
WORK_FOLDER = ".seglift"
OBJECTS = "objects"
"""Folder in the work folder for what each frame knows of the keyframes' objects."""
MODEL_FOLDER = "model"
REFINER_FOLDER = "refiner"
GAP_PREFIX = "gap-"
"""Folders in the work folder that begin so hold what a gap keeps between its passes."""


@dataclass(frozen=True)
class FrameResult:
    """What is written for one frame.

    Attributes:
        labels: uint8 ``[H, W]`` raw ids of the space.
        confidence: uint8 ``[H, W]``, 0..255 = 0..1.
        provenance: uint8 ``[H, W]``, an index into ``PROVENANCE_NAMES``.
        estimated_miou: expected of the labels, 0..1; None where nothing is known of them.
        label_png: a ready PNG file to write for ``labels``, byte for byte; None encodes ``labels``.
        objects: uint16 ``[H, W]``, codes of the keyframes' objects (:mod:`seglift.propagation.objects`), kept in the
            work folder; None without instances.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    provenance: NDArray[np.uint8]
    estimated_miou: float | None = None
    label_png: bytes | None = None
    objects: NDArray[np.uint16] | None = None

    def statistics(self) -> dict[str, Any]:
        """The frame's numbers of ``frames.jsonl`` (fractions 0..1, six digits), and ``pixels`` by raw id."""
        counts = np.bincount(self.labels.ravel(), minlength=256)
        shares = np.bincount(self.provenance.ravel(), minlength=len(PROVENANCE_NAMES)) / self.provenance.size
        return {
            "mean_confidence": round(float(self.confidence.mean(dtype=np.float64)) / 255.0, 6),
            "estimated_miou": None if self.estimated_miou is None else round(self.estimated_miou, 6),
            "provenance": {name: round(float(share), 6) for name, share in zip(PROVENANCE_NAMES, shares, strict=True)},
            "pixels": {str(raw): int(counts[raw]) for raw in np.flatnonzero(counts)},
        }


NAMES = {
    "cut": "--frames",
    "scene_cuts": "--cuts",
    "stems": "names of the frames",
    "classes": "classes of the space",
    "size": "frame size",
}
"""What the user calls the parts of an identity that are not options of the same name."""


class LabelOutput:
    """An output folder; open it with :meth:`open`.

    Attributes:
        folder: OUT.
        work: where the run keeps its journal, spilled arrays and trained model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / WORK_FOLDER
        self._journal_path = self.work / "journal.jsonl"
        self._lock = threading.Lock()
        self._listed: set[str] | None = None

    @classmethod
    def open(cls, folder: Path, identity: dict[str, Any], overwrite: bool) -> LabelOutput:
        """Takes ``folder`` into use, or refuses; the caller is its only writer (:func:`.output_lock.only_writer`).

        Args:
            folder: OUT; made when missing.
            identity: what a run must share with an earlier one to continue it (JSON-serialisable): options that can
                change a label, and the frames' fingerprint.
            overwrite: delete the results of a run of another identity, and start anew.

        Raises:
            UserError: the folder holds other things, another run's results, or cannot be written.
        """
        output = cls(folder)
        output.check(identity, overwrite)
        try:
            if overwrite or not output._anything_done():
                output._clear()
            for name in (WORK_FOLDER, *FOLDERS):  # the one that shows that OUT is ours comes first
                (folder / name).mkdir(parents=True, exist_ok=True)
                remove_leftovers(folder / name)
            for place in (folder / INSTANCES, output.work / OBJECTS):
                remove_leftovers(place)
        except OSError as error:
            raise UserError(f"cannot write to {folder}: {error.strerror or error}; choose another --out") from error
        remove_leftovers(folder)
        write_json(output.work / "identity.json", identity)
        return output

    def check(self, identity: dict[str, Any], overwrite: bool) -> None:
        """The refusals of :meth:`open`, without touching anything."""
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise UserError(f"--out {self.folder} is a file; give a folder")
            above = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
            if not above.is_dir() or not os.access(above, os.W_OK):
                raise UserError(f"cannot write to {self.folder}: {above} cannot be written; choose another --out")
            if not self.folder.is_dir() or not any(self.folder.iterdir()):
                return
        except OSError as error:
            raise UserError(f"cannot use {self.folder}: {error.strerror or error}; choose another --out") from error
        marker = self.work / "identity.json"
        if not marker.is_file():
            if self.work.is_dir():  # killed before the first file was whole
                return
            raise UserError(f"{self.folder} holds other files and no results of seglift label; choose another --out")
        if overwrite or not self._anything_done():
            return
        found = read_json(marker)
        before, after = ({NAMES.get(key, key): values.get(key) for key in identity} for values in (found, identity))
        different = differences(before, after)
        if different:
            raise UserError(
                f"{self.folder} holds labels made otherwise ({different}); "
                "run with the old options, choose another --out, or start anew with --overwrite"
            )

    def _anything_done(self) -> bool:
        """Whether a frame was labelled or a training begun; an OUT without either takes any options."""
        trained = any((self.work / name).is_dir() for name in (MODEL_FOLDER, REFINER_FOLDER))
        return self._journal_path.is_file() or trained

    def _clear(self) -> None:
        """Deletes the results; the identity goes last, so that after a crash the rest is still known to be ours."""
        marker, lock = self.work / "identity.json", self.work / LOCK_NAME
        work = [path for path in self.work.glob("*") if path not in (marker, lock)] if self.work.is_dir() else []
        for path in (*(self.folder / name for name in PRODUCTS), self._journal_path, *work, marker):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def journal(self) -> dict[str, dict[str, Any]]:
        """What is done: the last entry of each stem.

        Left out are a torn last line, entries without files, and those that were taken back.
        """
        entries = {entry["stem"]: entry for entry in self._entries()}
        present = [{path.stem for path in (self.folder / name).glob("*.png")} for name in FOLDERS]
        return {
            stem: entry
            for stem, entry in entries.items()
            if entry.get("key") is not None
            and all(stem in stems for stems in present)
            and ("overlaps" not in entry or self.objects_path(stem).is_file())
        }

    def _lines(self) -> list[str]:
        return self._journal_path.read_text(errors="replace").splitlines() if self._journal_path.is_file() else []

    def _entries(self) -> Iterator[dict[str, Any]]:
        for line in self._lines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def compact_journal(self, entries: Iterable[dict[str, Any]]) -> None:
        """Replaces the journal by ``entries`` in their order, unless it has as many lines already."""
        kept = list(entries)
        if len(self._lines()) != len(kept):
            write_bytes(self._journal_path, b"".join(_line(entry) for entry in kept))
            self._listed = None

    def write_frame(self, stem: str, result: FrameResult, entry: dict[str, Any]) -> dict[str, Any]:
        """Writes the PNGs of one frame, then its journal entry (``entry`` and the statistics), which it returns.

        Safe to call from several threads, each with other stems.
        """
        if self._is_listed(stem):
            self._append({"stem": stem, "key": None})
            self.instance_path(stem).unlink(missing_ok=True)  # made again from the new labels when all frames are done
        label_png = result.label_png if result.label_png is not None else encode_png(result.labels)
        for name, data in zip(
            FOLDERS, (label_png, encode_png(result.confidence), encode_png(result.provenance)), strict=True
        ):
            write_bytes(self.folder / name / f"{stem}.png", data)
        if result.objects is not None:
            write_bytes(self.objects_path(stem), encode_png(result.objects))
        whole = {"stem": stem, **entry, **result.statistics()}
        self._append(whole)
        return whole

    def instance_path(self, stem: str) -> Path:
        """The instance map of a frame."""
        return self.folder / INSTANCES / f"{stem}.png"

    def objects_path(self, stem: str) -> Path:
        """What a frame knows of the keyframes' objects, as codes."""
        return self.work / OBJECTS / f"{stem}.png"

    def _is_listed(self, stem: str) -> bool:
        """Whether the journal has a line of ``stem`` from before; from now on it has."""
        with self._lock:
            if self._listed is None:
                self._listed = {entry["stem"] for entry in self._entries()}
            known = stem in self._listed
            self._listed.add(stem)
            return known

    def _append(self, entry: dict[str, Any]) -> None:
        with self._lock:
            try:
                with self._journal_path.open("ab") as file:
                    # A line torn by a crash must not swallow this one.
                    if file.tell() and not _ends_line(self._journal_path):
                        file.write(b"\n")
                    file.write(_line(entry))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise UserError(
                    f"cannot write {self._journal_path}: {error.strerror or error}; free disk space"
                ) from error

    def remove_strangers(self, stems: Iterable[str], gaps: Iterable[str]) -> None:
        """Deletes what belongs to nothing any more: PNGs of frames not in ``stems``, gap folders not in ``gaps``."""
        for folder in set(self.work.glob(f"{GAP_PREFIX}*")) - {self.work / name for name in gaps}:
            shutil.rmtree(folder, ignore_errors=True)
        known = set(stems)
        for folder in (*(self.folder / name for name in (*FOLDERS, INSTANCES)), self.work / OBJECTS):
            for path in folder.glob("*.png"):
                if path.stem not in known:
                    path.unlink()


def _line(entry: dict[str, Any]) -> bytes:
    return (json.dumps(entry, sort_keys=True, allow_nan=False) + "\n").encode()


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
