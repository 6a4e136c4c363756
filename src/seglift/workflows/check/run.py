"""``seglift check``: reads every file of a dataset once; what is wrong, which neighbours there are, class histogram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.catalogue import likely_splits, open_dataset
from seglift.datasets.dataset import Dataset, Item
from seglift.workflows.check.item import OFFSETS, Found, Size, look_at


@dataclass
class UnknownId:
    """An id that the label space lacks: its pixels, in how many files, and the first of them."""

    pixels: int
    files: int
    first: str


@dataclass
class SplitCheck:
    """What a split shows.

    Attributes:
        dataset: the split; its problems say what stands alone (images without label, labels without image).
        pixels: int64 [num_indices], pixels of each space index over all labels.
        images: int64 [num_indices], number of labels that have each space index.
        unknown: ids that the space lacks.
        unreadable: messages about files that cannot be read.
        sizes: messages about files whose size is not their image's, and images whose size is not their clip's.
        objects: single objects of each instance file that could be read.
        contradictions: messages about instance files that contradict their label.
        neighbours: number of items that have a neighbour at each offset -10..-1, 1..10.
        image_sizes: number of images of each height and width.
        clip_sizes: height and width of the first image of each clip.
    """

    dataset: Dataset
    pixels: NDArray[np.int64] = field(init=False)
    images: NDArray[np.int64] = field(init=False)
    unknown: dict[int, UnknownId] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    neighbours: dict[int, int] = field(default_factory=lambda: dict.fromkeys(OFFSETS, 0))
    image_sizes: Counter[Size] = field(default_factory=Counter)
    clip_sizes: dict[str, Size] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pixels = np.zeros(self.dataset.space.num_indices, np.int64)
        self.images = np.zeros(self.dataset.space.num_indices, np.int64)

    @property
    def labelled(self) -> int:
        """Number of items that should have a label."""
        return sum(item.label is not None for item in self.dataset.items)

    @property
    def unlabelled(self) -> list[str]:
        """Names of the items without a label; a split may be labelled in part, so that they are no problem."""
        return [item.name for item in self.dataset.items if item.label is None]

    @property
    def without_instances(self) -> list[str]:
        """Names of the labelled items without instance file, where others have one; they are no problem either."""
        labelled = [item for item in self.dataset.items if item.label is not None]
        missing = [item.name for item in labelled if item.instances is None]
        return missing if len(missing) < len(labelled) else []

    def add(self, item: Item, found: Found) -> None:
        """Takes up what one item shows."""
        if found.size is not None:
            self.image_sizes[found.size] += 1
            first = found.size if item.clip is None else self.clip_sizes.setdefault(item.clip, found.size)
            if found.size != first:
                sizes = [f"{width}x{height}" for height, width in (found.size, first)]
                self.sizes.append(f"{item.image} is {sizes[0]}, the first image of its clip is {sizes[1]}")
        if found.pixels is not None:
            self.pixels += found.pixels
            self.images += found.pixels > 0
        for value, pixels in found.unknown.items():
            seen = self.unknown.setdefault(value, UnknownId(0, 0, found.label))
            seen.pixels += pixels
            seen.files += 1
        self.unreadable += found.unreadable
        self.sizes += found.sizes
        self.contradictions += found.contradictions
        if found.objects is not None:
            self.objects.append(found.objects)
        for offset in found.offsets:
            self.neighbours[offset] += 1

    def problems(self) -> list[str]:
        """What is wrong, a phrase for each kind; empty where all is fine."""
        counts = {
            "unreadable files": len(self.unreadable),
            "files of another size than their image or clip": len(self.sizes),
            "unknown ids": len(self.unknown),
            "contradictions of labels and instances": len(self.contradictions),
        }
        phrases = [f"{what}: {count}" for what, count in counts.items() if count]
        return phrases + [problem.split(":")[0] for problem in self.dataset.problems]


@dataclass(frozen=True)
class DatasetCheck:
    """What a dataset shows: the checked splits, and why others, which nobody asked for by name, were not opened."""

    name: str
    root: Path
    splits: tuple[SplitCheck, ...]
    skipped: Mapping[str, str]

    def raise_problems(self) -> None:
        """Nothing where all is fine.

        Raises:
            UserError: the problems of all splits on one line.
        """
        found = [
            f"{check.dataset.split} has {', '.join(check.problems())}" for check in self.splits if check.problems()
        ]
        if found:
            raise UserError(
                f"dataset {self.name} in {self.root} is not as expected: {'; '.join(found)}; correct or remove the "
                "files that are listed above"
            )


def check_dataset(
    name: str, root: Path, splits: Sequence[str] = (), options: Mapping[str, object] | None = None, quiet: bool = False
) -> DatasetCheck:
    """Reads every image, label and instance file of the splits once, in threads.

    Args:
        name: of ``catalogue.DATASETS``.
        root: folder of the dataset.
        splits: names of splits; none: every split that can be opened.
        options: of the opener, see :func:`seglift.datasets.catalogue.open_dataset`.
        quiet: no progress bar.

    Raises:
        UserError: unknown dataset or option, wrong root, a named split cannot be opened, or none at all. Files that
            are wrong are no error here, see :meth:`DatasetCheck.raise_problems`.
    """
    datasets, skipped = _open_splits(name, root, splits, options)
    checks = tuple(SplitCheck(dataset) for dataset in datasets)
    total = sum(map(len, datasets))
    with threads_per_call(1), ProgressBar(total, f"checking {name}", "images", quiet=quiet) as bar:
        for check in checks:
            items = check.dataset.items
            for item, found in zip(
                items, work_ahead(partial(look_at, check.dataset), items, worker_count()), strict=True
            ):
                check.add(item, found)
                bar.advance()
    return DatasetCheck(name, root, checks, skipped)


def _open_splits(
    name: str, root: Path, splits: Sequence[str], options: Mapping[str, object] | None
) -> tuple[list[Dataset], dict[str, str]]:
    if splits:
        return [open_dataset(name, root, split, options) for split in dict.fromkeys(splits)], {}
    opened: list[Dataset] = []
    refused: dict[str, UserError] = {}
    for split in likely_splits(name, root) or ("train",):
        try:
            opened.append(open_dataset(name, root, split, options))
        except UserError as error:
            refused[split] = error
    if not opened:
        raise next(iter(refused.values()))
    return opened, {split: str(error) for split, error in refused.items()}
