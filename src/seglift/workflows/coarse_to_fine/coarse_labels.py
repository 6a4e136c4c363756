"""Coarse labels made of fine ones: a dataset of their own, made once for a source and a labelled share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from seglift.base.ahead import work_ahead
from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.linked import link_or_copy
from seglift.base.progress import ProgressBar, say
from seglift.base.seeding import numpy_generator
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.coarse_strength import calibrate, check_reach, reach
from seglift.datasets.coarsen import check_coarsenable, coarsen, labelled_share
from seglift.datasets.dataset import Dataset, ImageFile, Item, Source
from seglift.datasets.folder import SPACE_FILE
from seglift.labels.space import Array8
from seglift.labels.space_file import space_to_data
from seglift.labels.writing import write_png
from seglift.training.images.dataset_samples import with_advice
from seglift.workflows.outputs.folder import RUN_NAME, OutputFolder, OutputKind
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME

RECORD = "coarse.json"
LOOKED_AT, CLOSE = 16, 0.03
"""Labels that tell beforehand whether a share is within reach, unless it is so close to the end of it."""
IMAGES, LABELS = "images", "labels"
KIND = OutputKind(
    "coarse2fine",
    "coarse labels",
    (IMAGES, LABELS),
    (RECORD, SPACE_FILE, SKIPPED_NAME),
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
    folder: Path,
    dataset: Dataset,
    config: CoarseConfig | None = None,
    quiet: bool = False,
    skip_corrupt: bool = False,
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
        skip_corrupt: leave out, and list in ``skipped.txt``, images whose label cannot be read.

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
    record = _calibrated(folder, dataset, items, config, source, quiet, skip_corrupt)
    shares, skipped = _write_all(output, dataset, items, record.strength, quiet, skip_corrupt)
    (folder / SKIPPED_NAME).unlink(missing_ok=True)
    if skipped:
        write_bytes(folder / SKIPPED_NAME, "".join(f"{line}\n" for line in skipped).encode())
        say(f"unreadable labels left out: {len(skipped)}, listed in {folder / SKIPPED_NAME}")
    whole = CoarseRecord(**{**asdict(record), "share": sum(shares) / len(shares), "images": len(shares)})
    write_json(folder / RECORD, asdict(whole))
    return whole


def _fingerprint(dataset: Dataset, items: Sequence[Item]) -> str:
    contents = [[item.name, item.image.fingerprint(), _label(item).fingerprint()] for item in items]
    return fingerprint_values(space_to_data(dataset.space), dataset.split, contents)


def check_reachable(dataset: Dataset, config: CoarseConfig, skip_corrupt: bool = False) -> None:
    """Refuses a share that these labels cannot be coarsened to, as :func:`write_coarse_labels` would.

    A few labels of the sample tell it, the whole sample where it is close.

    Raises:
        UserError: it is out of reach, or a label cannot be read.
    """
    sample = _sample([item for item in dataset.items if item.label is not None], config)
    few = _read_labels(sample[:LOOKED_AT], skip_corrupt)
    least, most = reach(few, dataset.space) if few else (0.0, 1.0)
    if not least + CLOSE <= config.target <= most - CLOSE:
        check_reach(_read_labels(sample, skip_corrupt), dataset.space, config.target)


def _sample(items: Sequence[Item], config: CoarseConfig) -> list[Item]:
    """What the strength is found with, in the order of the draw."""
    order = numpy_generator(config.seed, "coarse sample").permutation(len(items))[: config.sample]
    return [items[number] for number in order.tolist()]


def _read_labels(items: Sequence[Item], skip_corrupt: bool) -> list[Array8]:
    found = [_read(item, skip_corrupt) for item in items]
    return [label for label in found if not isinstance(label, str)]


def _read(item: Item, skip_corrupt: bool) -> Array8 | str:
    """The fine label; what is wrong with it where it cannot be read and is to be skipped."""
    try:
        return _label(item).read()
    except UserError as error:
        if not skip_corrupt:
            raise with_advice(error) from error
        return str(error)


def _calibrated(
    folder: Path,
    dataset: Dataset,
    items: Sequence[Item],
    config: CoarseConfig,
    source: str,
    quiet: bool,
    skip_corrupt: bool,
) -> CoarseRecord:
    """The record of an earlier call, or a new one, which is written."""
    if (folder / RECORD).is_file():
        return CoarseRecord(**read_json(folder / RECORD))
    places = {item.name: number for number, item in enumerate(items)}
    labels = _read_labels(sorted(_sample(items, config), key=lambda item: places[item.name]), skip_corrupt)
    if not quiet:
        say(f"coarse labels: finding how much {counted(len(labels), 'label')} must shrink")
    found = calibrate(labels, dataset.space, config.target)
    record = CoarseRecord(config.target, found.strength, found.share, len(labels), source)
    write_json(folder / RECORD, asdict(record))
    return record


def _write_all(
    output: OutputFolder, dataset: Dataset, items: Sequence[Item], strength: float, quiet: bool, skip_corrupt: bool
) -> tuple[list[float], list[str]]:
    """Makes what is missing; the labelled share of every item, and what is wrong with those that are left out."""
    done = {entry["stem"]: entry for entry in output.journal.entries() if _is_whole(output.folder, entry)}
    todo = [item for item in items if _place(item, dataset.split) not in done]

    def make(item: Item) -> dict[str, Any] | str:
        fine = _read(item, skip_corrupt)
        if isinstance(fine, str):
            return fine
        coarse = coarsen(fine, dataset.space, strength)
        stem = _place(item, dataset.split)
        files = [_write_image(output.folder, stem, item), output.folder / LABELS / f"{stem}.png"]
        write_png(files[1], dataset.space.decode(coarse))
        names = [file.relative_to(output.folder).as_posix() for file in files]
        return output.journal.append({"stem": stem, "share": labelled_share(coarse, dataset.space), "files": names})

    title, skipped = "coarse labels", []
    with threads_per_call(1), ProgressBar(len(items), title, "labels", len(items) - len(todo), quiet) as bar:
        for entry in work_ahead(make, todo, worker_count()):
            if isinstance(entry, str):
                skipped.append(entry)
            else:
                done[entry["stem"]] = entry
            bar.advance()
    places = [_place(item, dataset.split) for item in items]
    return [done[place]["share"] for place in places if place in done], skipped


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
