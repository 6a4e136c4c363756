"""Coarse labels made of fine ones: a dataset of their own, made once for a source and a labelled share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.linked import link_or_copy
from seglift.base.progress import ProgressBar
from seglift.base.seeding import numpy_generator
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.coarse_strength import calibrate
from seglift.datasets.coarsen import check_coarsenable, coarsen, labelled_share
from seglift.datasets.dataset import Dataset, ImageFile, Item, Source
from seglift.datasets.folder import SPACE_FILE
from seglift.labels.space_file import space_to_data
from seglift.labels.writing import write_png
from seglift.workflows.outputs.folder import RUN_NAME, OutputFolder, OutputKind

RECORD = "coarse.json"
IMAGES, LABELS = "images", "labels"
KIND = OutputKind(
    "coarse2fine",
    "coarse labels",
    (IMAGES, LABELS),
    (RECORD, SPACE_FILE),
    entry=frozenset({"stem", "share", "files"}),
)


@dataclass(frozen=True)
class CoarseConfig:
    """How coarse labels are to be.

    Raises:
        UserError: impossible values.
    """

    target: float = 0.6304
    """Share of the pixels that stay labelled, averaged over images: 0.6304 as annotators of Cityscapes left them,
    0.6981 as Das et al. simulate BDD100K."""
    sample: int = 200
    """Labels that the strength is found with, drawn at random; all where there are fewer."""
    seed: int = 0
    """Of that draw."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        if not 0 < self.target < 1:
            raise UserError(f"target is {self.target}, expected a share between 0 and 1; correct it")
        if self.sample < 1:
            raise UserError(f"sample is {self.sample}, expected at least 1; correct it")


@dataclass(frozen=True)
class CoarseRecord:
    """What ``coarse.json`` says of the labels.

    Attributes:
        target: share of labelled pixels that was asked for, 0..1.
        strength: of :func:`seglift.datasets.coarsen.coarsen`, found by calibration.
        sample_share: share that it reaches in the labels it was found with, of which there are ``sample_images``.
        sample_images: their number.
        source: fingerprint of the fine labels, their space, and the images.
        share: share reached in all labels; None while not all are made.
        images: number of labels; None while not all are made.
    """

    target: float
    strength: float
    sample_share: float
    sample_images: int
    source: str
    share: float | None = None
    images: int | None = None


def write_coarse_labels(
    folder: Path, dataset: Dataset, config: CoarseConfig | None = None, quiet: bool = False
) -> CoarseRecord:
    """Writes the labelled images of a dataset with coarse labels, in the generic layout.

    Files are ``images/SPLIT/CLIP/STEM.*`` (linked where they are files), ``labels/SPLIT/CLIP/STEM.png``,
    ``space.yaml`` and ``coarse.json``; items keep their names. What an earlier call made of the same labels and
    settings is not made again, one that was interrupted goes on; what was made of others goes.

    Args:
        folder: of the coarse dataset; the caller is its only writer.
        dataset: with fine labels.
        config: how coarse; None for the defaults.
        quiet: no progress bar.

    Raises:
        UserError: no labels, a space without void, a share out of reach, a file that cannot be read or written, or a
            folder that holds other files.
    """
    config = CoarseConfig() if config is None else config
    check_coarsenable(dataset.space)
    items = [item for item in dataset.items if item.label is not None]
    if not items:
        raise UserError(f"{dataset.name} has no labelled image in split {dataset.split}, expected some; choose another")
    source = _fingerprint(dataset, items)
    output = OutputFolder(folder, {"source": source, **asdict(config)}, KIND)
    output.check(overwrite=True)
    run = folder / RUN_NAME
    same = run.is_file() and read_json(run).get("identity") == output.identity
    output.open({}, not same, (IMAGES, LABELS))
    text = yaml.safe_dump(space_to_data(dataset.space), sort_keys=False, allow_unicode=True)
    write_bytes(folder / SPACE_FILE, text.encode())
    record = _calibrated(folder, dataset, items, config, source)
    shares = _write_all(output, dataset, items, record.strength, quiet)
    whole = CoarseRecord(**{**asdict(record), "share": sum(shares) / len(shares), "images": len(shares)})
    write_json(folder / RECORD, asdict(whole))
    return whole


def _fingerprint(dataset: Dataset, items: Sequence[Item]) -> str:
    contents = [[item.name, item.image.fingerprint(), _label(item).fingerprint()] for item in items]
    return fingerprint_values(space_to_data(dataset.space), dataset.split, contents)


def _calibrated(
    folder: Path, dataset: Dataset, items: Sequence[Item], config: CoarseConfig, source: str
) -> CoarseRecord:
    """The record of an earlier call, or a new one, which is written."""
    if (folder / RECORD).is_file():
        return CoarseRecord(**read_json(folder / RECORD))
    order = numpy_generator(config.seed, "coarse sample").permutation(len(items))[: config.sample]
    labels = [_label(items[number]).read() for number in sorted(order.tolist())]
    found = calibrate(labels, dataset.space, config.target)
    record = CoarseRecord(config.target, found.strength, found.share, len(labels), source)
    write_json(folder / RECORD, asdict(record))
    return record


def _write_all(
    output: OutputFolder, dataset: Dataset, items: Sequence[Item], strength: float, quiet: bool
) -> list[float]:
    """Makes what is missing; the labelled share of every item."""
    done = {entry["stem"]: entry for entry in output.journal.entries() if _is_whole(output.folder, entry)}
    todo = [item for item in items if _place(item, dataset.split) not in done]

    def make(item: Item) -> dict[str, Any]:
        fine = _label(item).read()
        coarse = coarsen(fine, dataset.space, strength)
        stem = _place(item, dataset.split)
        files = [_write_image(output.folder, stem, item), output.folder / LABELS / f"{stem}.png"]
        write_png(files[1], dataset.space.decode(coarse))
        names = [file.relative_to(output.folder).as_posix() for file in files]
        return output.journal.append({"stem": stem, "share": labelled_share(coarse, dataset.space), "files": names})

    title = "coarse labels"
    with threads_per_call(1), ProgressBar(len(items), title, "labels", len(items) - len(todo), quiet, True) as bar:
        for entry in work_ahead(make, todo, worker_count()):
            done[entry["stem"]] = entry
            bar.advance()
    return [done[_place(item, dataset.split)]["share"] for item in items]


def _is_whole(folder: Path, entry: Mapping[str, Any]) -> bool:
    return all((folder / name).is_file() for name in entry["files"])


def _place(item: Item, split: str) -> str:
    """``SPLIT/CLIP/STEM`` such that the item has the same name when read from there."""
    clip = item.clip or ""
    prefix = f"{clip.replace('/', '_')}_"
    inside = bool(clip) and item.name.startswith(prefix) and item.name != prefix
    return f"{split}/{clip}/{item.name.removeprefix(prefix)}" if inside else f"{split}/{item.name}"


def _write_image(folder: Path, stem: str, item: Item) -> Path:
    if isinstance(item.image, ImageFile):
        path = folder / IMAGES / f"{stem}{item.image.path.suffix}"
        link_or_copy(item.image.path, path)
        return path
    path = folder / IMAGES / f"{stem}.png"
    write_png(path, item.image.read())
    return path


def _label(item: Item) -> Source:
    if item.label is None:
        raise ValueError(f"{item.name} has no label")
    return item.label
