"""Datasets that rounds write, in the generic layout: pseudo-labels, and the human labels that are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seglift.base.files import read_json, write_bytes
from seglift.base.linked import link_or_copy
from seglift.datasets.dataset import ImageFile, Source
from seglift.datasets.folder import SPACE_FILE
from seglift.labels.instances import Array16
from seglift.labels.space import Array8, LabelSpace
from seglift.labels.space_file import space_to_data
from seglift.labels.writing import write_png
from seglift.workflows.outputs.folder import RUN_NAME, OutputFolder, OutputKind
from seglift.workflows.outputs.manifest import MANIFEST_NAME, write_manifest

SPLIT = "train"
IMAGES, LABELS, INSTANCES, CONFIDENCE = "images", "labels", "instances", "confidence"
SKIPPED_NAME = "skipped.txt"


@dataclass(frozen=True)
class LabelledFrame:
    """What is written for one image.

    Attributes:
        source: the image; a file is linked or copied as it is.
        labels: uint8 [H, W] raw ids of the space.
        instances: uint16 [H, W] in Cityscapes' encoding, or None.
        confidence: uint8 [H, W] confidence map (0..255 = 0..1), or the file of one, or None.
        image: uint8 [H, W, 3] RGB of a source that is no file.
    """

    source: Source
    labels: Array8
    instances: Array16 | None = None
    confidence: Path | Array8 | None = None
    image: Array8 | None = None


class DatasetOutput(OutputFolder):
    """A dataset that is written image by image; files are ``KIND/train/NAME.*``.

    An image counts as done when its files are in place and its line is in the journal, in that order. A line without a
    key takes back what an earlier one told.

    Args:
        folder: the dataset's.
        identity: what a run must share with an earlier one to continue it.
        space: label space of the labels.
        command: that writes it.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], space: LabelSpace, command: str) -> None:
        folders, files = (IMAGES, LABELS, INSTANCES, CONFIDENCE), (MANIFEST_NAME, SKIPPED_NAME, SPACE_FILE)
        super().__init__(
            folder, identity, OutputKind(command, "labels", folders, files, entry=frozenset({"stem", "key"}))
        )
        self.space = space

    def continues(self) -> bool:
        """Whether what lies there was made by the same identity."""
        run = self.folder / RUN_NAME
        return run.is_file() and read_json(run).get("identity") == self.identity

    def start(self, about: dict[str, Any], anew: bool) -> None:
        """Takes the folder into use; see :meth:`OutputFolder.open`."""
        self.open(about, anew, (IMAGES, LABELS))
        for name in (INSTANCES, CONFIDENCE):
            self.clean(name)
        text = yaml.safe_dump(space_to_data(self.space), sort_keys=False, allow_unicode=True)
        write_bytes(self.folder / SPACE_FILE, text.encode())
        for name in (MANIFEST_NAME, SKIPPED_NAME):  # they tell of a whole run
            (self.folder / name).unlink(missing_ok=True)

    def done(self) -> dict[str, dict[str, Any]]:
        """The entry of each image whose files are all there, by its name."""
        last = {entry["stem"]: entry for entry in self.journal.entries()}
        return {
            name: entry
            for name, entry in last.items()
            if entry["key"] is not None and all((self.folder / path).is_file() for path in entry["files"].values())
        }

    def keep_only(self, names: Iterable[str]) -> None:
        """Deletes the files of all images but those called ``names``, whose entries stay."""
        kept = set(names)
        for entry in {entry["stem"]: entry for entry in self.journal.entries()}.values():
            if entry["stem"] not in kept and entry["key"] is not None:
                self.journal.append({"stem": entry["stem"], "key": None})
                for path in entry["files"].values():
                    (self.folder / path).unlink(missing_ok=True)

    def write_frame(self, stem: str, result: LabelledFrame, entry: dict[str, Any]) -> dict[str, Any]:
        """Writes the files of the image called ``stem``, then its line in the journal, which it returns.

        Safe to call from several threads, each with other images.
        """
        files = {"image": self._write_image(stem, result), "label": self._path(LABELS, stem, ".png")}
        write_png(files["label"], result.labels)
        if result.instances is not None:
            files[INSTANCES] = self._path(INSTANCES, stem, ".png")
            write_png(files[INSTANCES], result.instances)
        if result.confidence is not None:
            files[CONFIDENCE] = self._path(CONFIDENCE, stem, ".png")
            if isinstance(result.confidence, Path):
                link_or_copy(result.confidence, files[CONFIDENCE])
            else:
                write_png(files[CONFIDENCE], result.confidence)
        relative = {kind: path.relative_to(self.folder).as_posix() for kind, path in files.items()}
        return self.journal.append({"stem": stem, **entry, "files": relative})

    def finish(self, pairs: Iterable[Mapping[str, Any]], skipped: Iterable[str], about: dict[str, Any]) -> None:
        """Writes the manifest, the list of what was skipped (where anything was), and ``run.json``.

        Args:
            pairs: lines of the manifest, see :func:`manifest_line`.
            skipped: messages about images that could not be read.
            about: more that ``run.json`` is to say.
        """
        text = "".join(f"{message}\n" for message in skipped)
        if text:
            write_bytes(self.folder / SKIPPED_NAME, text.encode())
        self.write_run(about)
        write_manifest(self.folder, pairs)

    def _write_image(self, stem: str, result: LabelledFrame) -> Path:
        if isinstance(result.source, ImageFile):
            path = self._path(IMAGES, stem, result.source.path.suffix)
            link_or_copy(result.source.path, path)
            return path
        path = self._path(IMAGES, stem, ".png")
        write_png(path, result.source.read() if result.image is None else result.image)
        return path

    def _path(self, kind: str, stem: str, suffix: str) -> Path:
        return self.folder / kind / SPLIT / f"{stem}{suffix}"


def manifest_line(
    entry: Mapping[str, Any], dataset: str, method: str, source: str | None, distance: int, clip: str | None
) -> dict[str, Any]:
    """The line of the manifest that tells of an entry of the journal.

    Args:
        entry: of :meth:`DatasetOutput.write_frame`.
        dataset: what the recipe calls the data.
        method: that made the labels.
        source: name of the annotated frame, None where there is none.
        distance: frames from that one, signed.
        clip: the video, None of a still.
    """
    return {
        "dataset": dataset,
        "source_frame": source,
        "target_frame": entry["stem"].rpartition("/")[2],
        "k": distance,
        "method": method,
        "pairs": "label",
        "clip": clip,
        **entry["files"],
    }
