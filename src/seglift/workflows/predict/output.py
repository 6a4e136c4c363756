"""The output folder of ``seglift predict``: whole files, and a journal of what is done."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.labels.instances import Array16
from seglift.labels.space import Array8
from seglift.labels.writing import write_png
from seglift.workflows.outputs.folder import OutputFolder, OutputKind

LABELS, CONFIDENCE, COLOR, INSTANCES = "labels", "confidence", "color", "instances"
PREDICTIONS = OutputKind(
    "predict", "predictions", (LABELS, CONFIDENCE, COLOR, INSTANCES), (), entry=frozenset({"stem", "picture"})
)


@dataclass(frozen=True)
class PredictedFrame:
    """What is written for one frame.

    Attributes:
        labels: uint8 [H, W] raw ids of the space.
        confidence: uint8 [H, W], 0..255 = 0..1; None where it was not asked for.
        color: uint8 [H, W, 3] RGB; None where it was not asked for.
        instances: uint16 [H, W] in Cityscapes' encoding; None of a model that does not tell them apart.
    """

    labels: Array8
    confidence: Array8 | None = None
    color: Array8 | None = None
    instances: Array16 | None = None


class PredictOutput(OutputFolder):
    """An output folder.

    Args:
        folder: OUT.
        identity: what a run must share with an earlier one to continue it (JSON-serialisable).
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        super().__init__(folder, identity, PREDICTIONS)
        self.products: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._listed: set[str] = set()

    def start(self, about: dict[str, Any], overwrite: bool, products: tuple[str, ...]) -> None:
        """Takes the folder into use; see :meth:`OutputFolder.open`. A frame is done when it has all ``products``."""
        self.products = products
        self.open(about, overwrite, products)
        self._listed = {str(entry["stem"]) for entry in self.journal.entries()}

    def done(self) -> dict[str, str]:
        """Fingerprint of the picture by name, for the frames whose files are all there."""
        found = {entry["stem"]: entry["picture"] for entry in self.journal.entries()}
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
                self.journal.append({"stem": stem, "picture": None})
            self._listed.add(stem)
        if result.instances is not None:
            write_png(self.path(INSTANCES, stem), result.instances)
        for name, array in ((CONFIDENCE, result.confidence), (COLOR, result.color), (LABELS, result.labels)):
            if array is not None:
                write_png(self.path(name, stem), array)
        return self.journal.append({"stem": stem, **entry})
