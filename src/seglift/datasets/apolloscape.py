"""ApolloScape scene parsing (Huang et al., 2018), re-split by record and cut into partitions of 21 frames."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.seeding import numpy_generator
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source, note_unread_instances
from seglift.datasets.files import check_choice, count_note, find_folder, scan_files, wrong_root
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.video.stems import natural_key

PARTITION = 21
CENTRE = PARTITION // 2
SPLITS = ("train", "val")
FRAMES = ("centre", "others", "all")
LARGEST_GAP = 1.5

_FRAME = re.compile(r"(?P<date>[0-9]{6})_(?P<time>[0-9]{9})_Camera_[0-9]+", re.ASCII)
_RECORD_DEPTH = 2


@dataclass(frozen=True)
class Frame:
    """A labelled frame: ``name`` is its file's stem, ``time`` in milliseconds since 1970."""

    name: str
    time: int
    image: Path
    label: Path
    instances: Path | None


@dataclass(frozen=True)
class PartitionNeighbours:
    """Neighbours within a partition.

    Attributes:
        places: partition and position in it by name of the item.
        partitions: images of each partition in order of time.
    """

    places: dict[str, tuple[int, int]]
    partitions: tuple[tuple[Source, ...], ...]

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The frame ``offset`` frames after ``item``; None where it would lie outside the partition."""
        place = self.places.get(item.name)
        if place is None or not 0 <= place[1] + offset < PARTITION:
            return None
        return self.partitions[place[0]][place[1] + offset]


@dataclass(frozen=True)
class Partitions:
    """The partitions of a split, and what its records hold besides.

    Attributes:
        partitions: 21 consecutive frames each.
        notes: how many frames fill no partition.
        problems: files without their partner or with an unknown name, which are left out.
    """

    partitions: tuple[tuple[Item, ...], ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def open_apolloscape(
    root: Path, split: str = "train", frames: str = "centre", val_share: float = 0.2, seed: int = 0
) -> Dataset:
    """ApolloScape scene parsing as Warp-Refine Propagation (ICCV 2021, supplement 3.2) uses it.

    Every road's folder ``ROAD_ins`` or ``ROAD_seg`` holds ``ColorImage/RECORD/CAMERA/TIME_Camera_N.jpg`` and
    ``Label/.../..._bin.png`` (with ``..._instanceIds.png``). The official train and val are taken together and split
    anew by record, so that no drive is in both. See :func:`open_partitions` for the partitions.

    Args:
        root: holds the roads' folders.
        split: train or val.
        frames: which frames of each partition are items: ``centre`` (the one that counts as labelled), ``others`` (the
            20 around it, whose labels serve as ground truth and as the oracle) or ``all``.
        val_share: share of the records that is validation, above 0 and below 1.
        seed: another seed, other records.

    Raises:
        UserError: wrong root, unknown split or frames, no partition, two files of one frame.
    """
    check_choice(frames, FRAMES, "the frames of ApolloScape")
    found = open_partitions(root, split, val_share, seed)
    partitions = found.partitions
    places = {item.name: (number, at) for number, part in enumerate(partitions) for at, item in enumerate(part)}
    wanted = {"centre": {CENTRE}, "others": set(range(PARTITION)) - {CENTRE}, "all": set(range(PARTITION))}[frames]
    items = (item for part in partitions for at, item in enumerate(part) if at in wanted)
    ordered = tuple(sorted(items, key=lambda item: natural_key(item.name)))
    images = tuple(tuple(item.image for item in part) for part in partitions)
    return Dataset(
        "apolloscape",
        root,
        split,
        BUILTIN_SPACES["apolloscape"],
        ordered,
        PartitionNeighbours(places, images),
        (*found.notes, *note_unread_instances(ordered)),
        found.problems,
    )


def open_partitions(root: Path, split: str = "train", val_share: float = 0.2, seed: int = 0) -> Partitions:
    """The partitions of a split, and what was left out.

    The frames of one record and camera that have image and label are ordered by their time and cut where the gap to
    the next is above 1.5 times the median gap; each run is cut from its beginning into partitions of 21 consecutive
    frames, what remains is not used. Each partition is a clip of its own, with a label for all of its frames; the one
    at position 10 counts as labelled.

    Args:
        root: as in :func:`open_apolloscape`.
        split: as there.
        val_share: as there.
        seed: as there.

    Raises:
        UserError: as there.
    """
    check_choice(split, SPLITS, "the split of ApolloScape")
    if not 0.0 < val_share < 1.0:
        raise UserError(f"the share of validation records is {val_share}, expected above 0 and below 1; correct it")
    records: dict[str, dict[str, list[Frame]]] = {}
    problems: list[str] = []
    for road in _roads(root):
        found, left_out = _road_frames(road)
        problems += left_out
        for (record, camera), frames in found.items():
            records.setdefault(f"{road.name}_{record}", {})[camera] = frames
    chosen = _choose(sorted(records, key=natural_key), split, val_share, seed)
    partitions = tuple(
        _items(f"{record}_{camera.replace(' ', '_')}", number, part)
        for record in chosen
        for camera, frames in sorted(records[record].items())
        for number, part in enumerate(cut_partitions(frames))
    )
    if not partitions:
        raise UserError(
            f"none of the {len(records)} records in {root} gives split {split} a partition of {PARTITION} frames "
            "without a gap; unpack more records, images and labels"
        )
    rest = sum(len(frames) for record in chosen for frames in records[record].values()) - PARTITION * len(partitions)
    left = counted(rest, f"frame of ApolloScape {split} fills", f"frames of ApolloScape {split} fill")
    notes = (f"{left} no partition of {PARTITION} and {'is' if rest == 1 else 'are'} left out",) if rest else ()
    return Partitions(partitions, notes, tuple(problems))


def cut_partitions(frames: list[Frame]) -> Iterator[tuple[Frame, ...]]:
    """Partitions of 21 consecutive frames of one camera, see :func:`open_partitions`; ``frames`` in any order."""
    ordered = sorted(frames, key=lambda frame: frame.time)
    gaps = [after.time - before.time for before, after in pairwise(ordered)]
    largest = LARGEST_GAP * statistics.median(gaps) if gaps else 0.0
    run: list[Frame] = []
    for frame in ordered:
        if len(run) == PARTITION or (run and frame.time - run[-1].time > largest):
            run = []
        run.append(frame)
        if len(run) == PARTITION:
            yield tuple(run)


def frame_time(stem: str) -> int | None:
    """Milliseconds since 1970 of a frame named ``170908_061502408_Camera_5`` (date and time), else None."""
    match = _FRAME.fullmatch(stem)
    if match is None:
        return None
    clock = match["time"]
    try:
        start = datetime.strptime(match["date"] + clock[:6], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(start.timestamp()) * 1000 + int(clock[6:])


def _choose(records: list[str], split: str, val_share: float, seed: int) -> list[str]:
    """The records of a split, in order; validation has at least one."""
    order = numpy_generator(seed, "apolloscape", "records").permutation(len(records))
    held_out = {records[index] for index in order[: max(1, round(val_share * len(records)))]}
    return [record for record in records if (record in held_out) == (split == "val")]


def _roads(root: Path) -> list[Path]:
    """Folders with images, in natural order."""
    found = find_folder(root, "ColorImage")
    if found is None:
        raise wrong_root(root, ("ROAD_ins/ColorImage", "ROAD_seg/ColorImage"), "ApolloScape")
    if found.parent == root:
        return [root]
    return sorted((path.parent for path in root.glob("*/ColorImage")), key=lambda path: natural_key(path.name))


def _road_frames(road: Path) -> tuple[dict[tuple[str, str], list[Frame]], list[str]]:
    """Frames of a road by record and camera, and problems."""
    images = scan_files(road / "ColorImage", _RECORD_DEPTH).by_key(".jpg", ".png")
    files = scan_files(road / "Label", _RECORD_DEPTH) if (road / "Label").is_dir() else None
    labels = files.by_key("_bin.png") if files is not None else {}
    instances = files.by_key("_instanceIds.png") if files is not None else {}
    found: dict[tuple[str, str], list[Frame]] = {}
    misnamed = []
    for key in sorted(images.keys() & labels.keys(), key=natural_key):
        folder, _, stem = key.rpartition("/")
        time = frame_time(stem)
        if time is None or folder.count("/") != _RECORD_DEPTH - 1:
            misnamed.append(key)
            continue
        record, camera = folder.split("/")
        frame = Frame(stem, time, images[key], labels[key], instances.get(key))
        found.setdefault((record, camera), []).append(frame)
    problems = (
        count_note(_alone(images, labels), "image", f"of ApolloScape {road.name} without label left out"),
        count_note(_alone(labels, images), "label", f"of ApolloScape {road.name} without image left out"),
        count_note(misnamed, "frame", f"of ApolloScape {road.name} not at RECORD/CAMERA/DATE_TIME_Camera_N left out"),
    )
    return found, [problem for problem in problems if problem is not None]


def _alone(these: dict[str, Path], those: dict[str, Path]) -> list[str]:
    return sorted(these.keys() - those.keys(), key=natural_key)


def _items(drive: str, number: int, frames: tuple[Frame, ...]) -> tuple[Item, ...]:
    space = BUILTIN_SPACES["apolloscape"]
    return tuple(
        Item(
            f"{drive}_{frame.name}",
            ImageFile(frame.image),
            LabelFile(frame.label, space),
            frame.instances,
            clip=f"{drive}_{number:03d}",
        )
        for frame in frames
    )
