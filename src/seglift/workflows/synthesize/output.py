"""The output folder of ``seglift synthesize``: a dataset in the generic layout, its manifest, a journal by source."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, write_bytes
from seglift.datasets.dataset import ImageFile
from seglift.datasets.folder import SPACE_FILE
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import space_to_data
from seglift.labels.writing import write_png
from seglift.video.fingerprint import sample_fingerprint
from seglift.workflows.outputs.folder import OutputFolder, OutputKind
from seglift.workflows.outputs.manifest import MANIFEST_NAME, PATHS, write_manifest
from seglift.workflows.synthesize.config import SynthesizeConfig
from seglift.workflows.synthesize.plan import PlannedSource
from seglift.workflows.synthesize.result import Neighbour, Remarks

SKIPPED_NAME = "skipped.txt"
IMAGES, LABELS, INSTANCES, CONFIDENCE = "images", "labels", "instances", "confidence"
SYNTHESIZED = OutputKind(
    "synthesize",
    "labels",
    (IMAGES, LABELS, INSTANCES, CONFIDENCE),
    (MANIFEST_NAME, SKIPPED_NAME, SPACE_FILE),
    entry=frozenset({"source", "key"}),
)


class SynthesizeOutput(OutputFolder):
    """An output folder; files of a source are ``KIND/SPLIT/SOURCE/TARGET.*``.

    A source counts as done when its files are in place and its line is in the journal, in that order. Before anything
    that the journal tells of is replaced, a line without a key takes back what it told.

    Args:
        config: resolved options.
        identity: what a run must share with an earlier one to continue it.
    """

    def __init__(self, config: SynthesizeConfig, identity: dict[str, Any]) -> None:
        super().__init__(config.out, identity, SYNTHESIZED)
        self.config = config

    def start(self, about: dict[str, Any], space: LabelSpace) -> None:
        """Takes the folder into use; see :meth:`OutputFolder.open`."""
        self.open(about, self.config.overwrite, ())
        text = yaml.safe_dump(space_to_data(space), sort_keys=False, allow_unicode=True)
        write_bytes(self.folder / SPACE_FILE, text.encode())
        for name in (MANIFEST_NAME, SKIPPED_NAME):  # they tell of a whole run
            (self.folder / name).unlink(missing_ok=True)

    def listed(self) -> dict[str, dict[str, Any]]:
        """The last entry of each source in the journal, also of those that were taken back."""
        return {entry["source"]: entry for entry in self.journal.entries()}

    def is_done(self, entry: Mapping[str, Any] | None, key: str) -> bool:
        """Whether an entry of the journal tells of what ``key`` identifies, and all of it is still there."""
        if entry is None or entry["key"] != key or (entry["skipped"] and not self.config.skip_corrupt):
            return False
        return all((self.folder / pair[kind]).is_file() for pair in entry["pairs"] for kind in PATHS if kind in pair)

    def keep_only(self, done: Iterable[str]) -> None:
        """Deletes the files of all sources but ``done``, having taken back what the journal told of them."""
        kept = set(done)
        for name in self.listed().keys() - kept:
            self.journal.append({"source": name, "key": None})
        for kind in self.kind.folders:
            for folder in (self.folder / kind).glob("*/*/"):
                if folder.name not in kept or folder.parent.name != self.config.split:
                    shutil.rmtree(folder, ignore_errors=True)

    def write_source(
        self, source: PlannedSource, neighbours: Iterator[Neighbour], remarks: Remarks, key: str
    ) -> dict[str, Any]:
        """Writes the files of one source as they are made, then its line in the journal, which it returns.

        Safe to call from several threads, each with other sources.
        """
        pairs = [self._write_pair(source, neighbour) for neighbour in neighbours]
        return self.journal.append(
            {
                "source": source.item.name,
                "key": key,
                "pairs": sorted(pairs, key=lambda pair: pair["k"]),
                "skipped": remarks.unreadable,
                "duplicates": remarks.duplicates,
                "behind_cuts": remarks.behind_cuts,
            }
        )

    def _write_pair(self, source: PlannedSource, neighbour: Neighbour) -> dict[str, Any]:
        config, name, index = self.config, source.item.name, source.targets[neighbour.offset]
        stem = source.frames.stems[index]
        real = source.frames.sources[index]
        copied = real.path if neighbour.image is None and isinstance(real, ImageFile) else None
        image = self._folder(IMAGES, name) / f"{stem}{'.png' if copied is None else copied.suffix}"
        if copied is not None:
            write_bytes(image, _read(copied))
        else:
            write_png(image, real.read() if neighbour.image is None else neighbour.image)
        paths = {"image": image, "label": self._folder(LABELS, name) / f"{stem}.png"}
        for kind, array in ((CONFIDENCE, neighbour.confidence), (INSTANCES, neighbour.instances)):
            if array is not None:
                paths[kind] = self._folder(kind, name) / f"{stem}.png"
                write_png(paths[kind], array)
        write_png(paths["label"], neighbour.labels)
        return {
            "dataset": config.dataset,
            "source_frame": name,
            "target_frame": stem,
            "k": neighbour.offset,
            "method": config.method,
            "pairs": config.pairs,
            "clip": source.item.clip,
            **{kind: path.relative_to(self.folder).as_posix() for kind, path in paths.items()},
        }

    def finish(self, entries: Iterable[Mapping[str, Any]], about: dict[str, Any]) -> None:
        """Writes the manifest, the list of what was skipped (where anything was), and ``run.json``.

        Args:
            entries: of the journal, in the dataset's order.
            about: more that ``run.json`` is to say.
        """
        whole = list(entries)
        skipped = [message for entry in whole for message in entry["skipped"]]
        if skipped:
            write_bytes(self.folder / SKIPPED_NAME, "".join(f"{message}\n" for message in skipped).encode())
        write_manifest(self.folder, (pair for entry in whole for pair in entry["pairs"]))
        self.write_run(about)

    def _folder(self, kind: str, name: str) -> Path:
        return self.folder / kind / self.config.split / name


def source_key(source: PlannedSource) -> str:
    """What a source's results depend on, as a fingerprint: its label and the frames on the way, by content.

    Raises:
        UserError: a file cannot be read.
    """
    item = source.item
    return fingerprint_values(
        None if item.label is None else item.label.fingerprint(),
        source.frames.fingerprint(),
        source.key,
        list(source.targets.items()),
        None if item.instances is None else sample_fingerprint(item.instances),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check it") from error
