"""The frames that receive pseudo-labels, and the annotated frame of their clip."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.catalogue import VIDEO_OF
from seglift.datasets.clip_around import frames_of, reach
from seglift.datasets.dataset import Dataset, ImageFile, Item, Source
from seglift.labels.space import LabelSpace
from seglift.video.clip_tree import find_clips
from seglift.video.folder import FrameFolder
from seglift.video.frames import open_frames
from seglift.workflows.naive_student.recipe import UnlabelledSource
from seglift.workflows.predict.frames import FrameOf


@dataclass(frozen=True)
class Annotated:
    """A frame whose label says where the void regions of its clip are.

    Attributes:
        name: of the item.
        label: ``read`` gives uint8 [H, W] space index.
        space: of that label.
    """

    name: str
    label: Source
    space: LabelSpace


@dataclass(frozen=True)
class Frame:
    """One frame that receives a pseudo-label.

    Attributes:
        name: ``CLIP/STEM``, or ``STEM`` of a still; names its files.
        source: ``read`` gives uint8 [H, W, 3] RGB.
        called: what the recipe calls the source it is of.
        clip: the video it is of; None of a still.
        annotated: the annotated frame of its clip, None where there is none.
        distance: frames from that one, signed; 0 without it.
        labelled: whether it is one of the frames whose human labels are used.
    """

    name: str
    source: Source
    called: str
    clip: str | None = None
    annotated: Annotated | None = None
    distance: int = 0
    labelled: bool = False

    @property
    def stem(self) -> str:
        """The name without its clip."""
        return self.name.rpartition("/")[2]


def place_of(source: Source) -> str:
    """The same text for the same picture, however it was reached."""
    return str(source.path.resolve()) if isinstance(source, ImageFile) else str(source)


def annotated_items(dataset: Dataset, items: Iterable[Item]) -> dict[str, Annotated]:
    """Those of ``items``, of ``dataset``, that have a label, by :func:`place_of` their image."""
    return {
        place_of(item.image): Annotated(item.name, item.label, dataset.space)
        for item in items
        if item.label is not None
    }


def dataset_frames(
    asked: UnlabelledSource, dataset: Dataset, labelled: Mapping[str, Annotated], prefix: str
) -> list[Frame]:
    """The images of a dataset and, where asked for, the frames of their video; each once. Reads nothing.

    Args:
        asked: the source.
        dataset: opened.
        labelled: the frames whose human labels are used, by :func:`place_of`.
        prefix: put before the names of clips and stills.

    Raises:
        UserError: frames of the video are asked for, and no image has any.
    """
    known = annotated_items(dataset, dataset.items) if asked.void_from == "own" else labelled
    nearest = _nearest(dataset.items, known)
    found: dict[str, Frame] = {}
    around = 0
    for item in dataset.items:
        window = reach(dataset, item, asked.before, asked.after)
        around += len(window) - 1
        stems = frames_of(item, window).stems if len(window) > 1 else [_stem(item)]
        clip = item.clip or (item.name if asked.before or asked.after else None)
        annotated, steps = nearest.get(item.name, (None, 0))
        for (offset, source), stem in zip(window.items(), stems, strict=True):
            place = place_of(source)
            name = f"{prefix}{clip}/{stem}" if clip else f"{prefix}{stem}"
            distance = 0 if annotated is None else steps + offset
            frame = Frame(name, source, asked.called, clip, annotated, distance, place in labelled)
            if place not in found or abs(distance) < abs(found[place].distance):
                found[place] = frame
    if (asked.before or asked.after) and not around:
        hint = VIDEO_OF.get(dataset.name, "give a dataset of video")
        raise UserError(
            f"no image of {dataset.name} {dataset.split} at {dataset.root} has a frame before or after it, expected"
            f" its video; {hint}, or set before and after to 0"
        )
    return list(found.values())


def video_frames(asked: UnlabelledSource, root: Path, labelled: Iterable[str], prefix: str) -> list[Frame]:
    """Every frame of the videos and folders of frames at ``root``.

    Args:
        asked: the source.
        root: a video file, a folder of frames or a tree of both.
        labelled: places of the frames whose human labels are used.
        prefix: put before the names of clips.

    Raises:
        UserError: there are none, or one cannot be opened.
    """
    known = set(labelled)
    return [
        Frame(f"{prefix}{clip}/{stem}", source, asked.called, clip, labelled=place_of(source) in known)
        for clip, place in find_clips(root).items()
        for stem, source in _clip_frames(place)
    ]


def check_names(frames: Sequence[Frame]) -> None:
    """Refuses, with a UserError, two frames whose files would have one name."""
    known: dict[str, Frame] = {}
    for frame in frames:
        other = known.setdefault(frame.name.replace("/", "_"), frame)
        if other is not frame:
            raise UserError(
                f"{other.source} and {frame.source} would both be written as {frame.name}; give their sources other"
                " names, or leave one of them out"
            )


def _clip_frames(place: Path) -> Iterator[tuple[str, Source]]:
    frames = open_frames(place)
    for index, stem in enumerate(frames.stems):
        yield stem, ImageFile(frames.paths[index]) if isinstance(frames, FrameFolder) else FrameOf(frames, index)


def _stem(item: Item) -> str:
    return item.image.path.stem if item.clip and isinstance(item.image, ImageFile) else item.name


def _nearest(items: Sequence[Item], known: Mapping[str, Annotated]) -> dict[str, tuple[Annotated, int]]:
    """For each item by name the nearest annotated one of its clip, and how many items lie from that one to it."""
    clips: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        clips[f"clip {item.clip}" if item.clip else f"still {item.name}"].append(item)
    found: dict[str, tuple[Annotated, int]] = {}
    for members in clips.values():
        annotated = [known.get(place_of(item.image)) for item in members]
        places = [at for at, frame in enumerate(annotated) if frame is not None]
        for at, item in enumerate(members if places else ()):
            after = bisect_left(places, at)
            nearest = min(places[max(0, after - 1) : after + 1], key=partial(_distance, at))
            frame = annotated[nearest]
            if frame is not None:
                found[item.name] = (frame, at - nearest)
    return found


def _distance(first: int, second: int) -> int:
    return abs(first - second)
