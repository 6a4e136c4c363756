"""Where each class can be found: centroids of the classes in the tiles of every label (class-uniform sampling)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglift.base.ahead import work_ahead
from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import ProgressBar, say
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.class_centroids import LabelSummary, summarize
from seglift.datasets.class_index_file import load_summaries, save_summaries
from seglift.datasets.dataset import Dataset, Source
from seglift.labels.space import LabelSpace

TILE = 1024
"""Side of the tiles in Zhu et al.'s released code, pixels (300 for KITTI)."""


@dataclass(frozen=True, eq=False)
class ClassIndex:
    """Class centroids and class pixel counts of a dataset.

    A record says that a tile of an item's label holds a class, and the mean position of its pixels there, which may lie
    on another class. Records are in the order of items, tiles and classes.

    Attributes:
        name: of the dataset.
        class_names: name of each train id, C of them.
        pixels: int64 [N, C], pixels of each class in each item; zeros where an item has no readable label.
        usable: int32 [M], numbers of the items whose label could be read, ascending.
        items: int32 [R], item of each record.
        points: int32 [R, 2], row and column of the centroid.
        train_ids: uint8 [R], its class, 0..C-1.
        skipped: why labels were skipped, one line each.
        content: 64 hexadecimal digits that change with the labels, the tiles and the space, not with the folder.
    """

    name: str
    class_names: tuple[str, ...]
    pixels: NDArray[np.int64]
    usable: NDArray[np.int32]
    items: NDArray[np.int32]
    points: NDArray[np.int32]
    train_ids: NDArray[np.uint8]
    skipped: tuple[str, ...]
    content: str

    @property
    def num_classes(self) -> int:
        """Number C of evaluated classes."""
        return len(self.class_names)

    @functools.cached_property
    def _by_class(self) -> tuple[NDArray[np.int64], ...]:
        order = np.argsort(self.train_ids, kind="stable")
        ends = np.cumsum(np.bincount(self.train_ids, minlength=self.num_classes))
        return tuple(np.split(order, ends[:-1]))

    def of_class(self, train_id: int) -> NDArray[np.int64]:
        """Numbers of the records of a class, ascending."""
        return self._by_class[train_id]


def build_class_index(
    dataset: Dataset,
    tile: int = TILE,
    cache: Path | None = None,
    skip_corrupt: bool = False,
    workers: int | None = None,
    quiet: bool = False,
) -> ClassIndex:
    """Reads every label of ``dataset`` once and notes where its classes are.

    Class-uniform sampling (Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation",
    CVPR 2019, section 4.1). Tiles are squares of min(tile, height, width) pixels; rows and columns left over at the end
    are covered by a last tile that is shifted back inside.

    Args:
        dataset: items without a label are not indexed and not usable.
        tile: side of the tiles, pixels.
        cache: folder that keeps what was found between runs, or None. Labels are known again by fingerprints of their
            content, wherever they lie; only new and changed ones are read. A damaged file is made anew.
        skip_corrupt: leave out and count labels that cannot be read instead of stopping.
        workers: threads; by default as many as the process was given.
        quiet: no progress and no messages.

    Raises:
        UserError: no item has a label, a label cannot be read (names the file), or the cache cannot be written.
        ValueError: ``tile`` below 1.
    """
    if tile < 1:
        raise ValueError(f"tiles must have at least 1 pixel, got {tile}")
    labelled = [number for number, item in enumerate(dataset.items) if item.label is not None]
    if not labelled:
        raise UserError(
            f"{dataset.name} {dataset.split} in {dataset.root} has no labels ({counted(len(dataset), 'image')}); "
            "labelled images are needed; choose another split"
        )
    sources = [label for item in dataset.items if (label := item.label) is not None]
    settings = _settings(dataset.space, tile)
    path = None if cache is None else cache / _file_name(dataset, tile)
    known = {} if path is None else load_summaries(path, settings, dataset.space.num_train)
    reader = _Reader(sources, dataset.space, tile, known, skip_corrupt)
    try:
        keys = reader.read_all(workers or worker_count(), f"class index of {dataset.name} {dataset.split}", quiet)
    except BaseException:
        # What was read before the interruption need not be read again.
        if path is not None and reader.found.keys() - known.keys():
            save_summaries(path, settings, known | reader.found)
        raise
    if path is not None and reader.found and reader.found.keys() != known.keys():
        save_summaries(path, settings, reader.found)
    index = _assemble(dataset, labelled, keys, reader, settings)
    if index.skipped and not quiet:
        skipped = counted(len(index.skipped), "label")
        say(f"{dataset.name} {dataset.split}: {skipped} skipped, the first: {index.skipped[0]}")
    return index


class _Reader:
    """Summaries of labels by fingerprint: known ones, or read from the source.

    Attributes:
        found: summaries met so far.
        problems: why labels were skipped.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        space: LabelSpace,
        tile: int,
        known: dict[str, LabelSummary],
        skip_corrupt: bool,
    ) -> None:
        self.sources, self.space, self.tile, self.known, self.skip_corrupt = sources, space, tile, known, skip_corrupt
        self.found: dict[str, LabelSummary] = {}
        self.problems: list[str] = []

    def read_all(self, workers: int, title: str, quiet: bool) -> list[str | None]:
        """Fingerprint of each source, None where it was skipped; afterwards ``found`` has the summary of each."""
        keys: list[str | None] = []
        with threads_per_call(1), ProgressBar(len(self.sources), title, "labels", quiet=quiet) as bar:
            for key, outcome in work_ahead(self._read, self.sources, workers):
                if isinstance(outcome, UserError):
                    self.problems.append(str(outcome))
                    keys.append(None)
                else:
                    self.found[key] = outcome
                    keys.append(key)
                bar.advance()
        return keys

    def _read(self, source: Source) -> tuple[str, LabelSummary | UserError]:
        try:
            key = source.fingerprint()
            summary = self.known.get(key)
            if summary is None:
                summary = summarize(self.space.to_train(source.read()), self.tile, self.space.num_train)
        except UserError as error:
            if not self.skip_corrupt:
                raise
            return "", error
        return key, summary


def _assemble(
    dataset: Dataset, labelled: Sequence[int], keys: Sequence[str | None], reader: _Reader, settings: str
) -> ClassIndex:
    pixels = np.zeros((len(dataset), dataset.space.num_train), np.int64)
    usable = [(number, reader.found[key]) for number, key in zip(labelled, keys, strict=True) if key is not None]
    if not usable:
        raise UserError(
            f"none of the {len(labelled)} labels of {dataset.name} {dataset.split} could be read, the first: "
            f"{reader.problems[0]}"
        )
    for number, summary in usable:
        pixels[number] = summary.pixels
    numbers = np.array([number for number, _ in usable], np.int32)
    return ClassIndex(
        dataset.name,
        dataset.space.train_names,
        pixels,
        numbers,
        np.repeat(numbers, [len(summary.train_ids) for _, summary in usable]),
        np.concatenate([summary.points for _, summary in usable]),
        np.concatenate([summary.train_ids for _, summary in usable]),
        tuple(reader.problems),
        fingerprint_values(settings, list(keys)),
    )


def _settings(space: LabelSpace, tile: int) -> str:
    """Fingerprint of what summaries depend on besides the label files."""
    classes = [(entry.id, entry.color, entry.train_id) for entry in space.classes]
    return fingerprint_values(classes, space.ignore, sorted(space.preferred), tile)


def _file_name(dataset: Dataset, tile: int) -> str:
    parts = (dataset.name, dataset.split, dataset.space.name)
    readable = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts)
    return f"class_index-{readable}-{tile}.safetensors"
