"""The video of a recipe, opened: clips with triplets of frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.item_clips import item_clips
from seglift.training.loop.processes import is_first_process
from seglift.training.videos.triplets import Clip, Triplets
from seglift.video.clip_tree import find_clips
from seglift.video.frames import Frames, open_frames
from seglift.workflows.recipes.overrides import check_roots, root_of
from seglift.workflows.train.record import TrainingRecord
from seglift.workflows.train.video_recipe import VideoSource, VideoTrainRecipe

SIZES_LOOKED_AT = 8
LEAST_SIDE = 16
"""Pixels; smaller frames have nothing to estimate flow from."""
MULTIPLE = 64
"""Of a crop's sides, where frames are smaller than the recipe's crop."""
NAMED = 4


@dataclass(frozen=True)
class VideoData:
    """The opened video of a recipe.

    Attributes:
        train: to learn from.
        val: held out, None where the recipe has none.
        roots: where the sources lie, in the order of the recipe.
        crop: height and width of the crops: the recipe's, smaller where every frame is smaller.
    """

    train: Triplets
    val: Triplets | None
    roots: tuple[Path, ...]
    crop: tuple[int, int]

    def record(self, recipe: VideoTrainRecipe) -> TrainingRecord:
        """What is kept beside the weights of ``recipe``."""
        uses = [("train", self.train), *([] if self.val is None else [("val", self.val)])]
        about = {
            "sources": [
                {"called": source.called, "root": str(root)}
                for source, root in zip(recipe.sources, self.roots, strict=True)
            ],
            "clips": {use: {clip.name: clip.length for clip in data.clips} for use, data in uses},
            "triplets": {use: len(data) for use, data in uses},
            "crop": list(self.crop),
        }
        names = [f"{use}/{clip.name}/{clip.length}" for use, data in uses for clip in data.clips]
        return TrainingRecord(recipe, names, self.roots, about)


def open_video_data(recipe: VideoTrainRecipe, roots: Mapping[str, Path]) -> VideoData:
    """Opens every source of a recipe; the first process says what is left out.

    Raises:
        UserError: it is not said where a source lies, there is no video, no clip of a use is long enough, or frames are
            too small.
    """
    check_roots(roots, {source.called for source in recipe.sources})
    places = tuple(root_of(source.called, source.root, roots) for source in recipe.sources)
    clips = [_open_source(source, place) for source, place in zip(recipe.sources, places, strict=True)]
    count, processes = len(recipe.train), max(1, recipe.fit.workers)
    train = _triplets(clips[:count], "train", processes)
    val = _triplets(clips[count:], "val", 1) if recipe.val else None
    for data in (train, val) if val is not None else (train,):
        _check_sides(_some_sizes(data))
    return VideoData(train, val, places, _fitting_crop(recipe.crop, _some_sizes(train)))


def _open_source(source: VideoSource, root: Path) -> list[Clip]:
    """Its clips, also those that are too short."""
    openers: dict[str, Callable[[], Frames]] = {}
    if source.dataset is None:
        openers |= {name: partial(open_frames, place) for name, place in find_clips(root).items()}
    else:
        dataset = open_dataset(source.dataset, root, source.split, source.options)
        for note in (*dataset.problems, *dataset.notes) if is_first_process() else ():
            say(f"{dataset.name} {dataset.split}: {note}")
        openers |= {name: partial(_itself, frames) for name, frames in item_clips(dataset).items()}
    for pattern in (*source.clips, *source.without):
        if not any(fnmatchcase(name, pattern) for name in openers):
            raise UserError(f"no clip of {source.called} fits {pattern!r}, it has {_some(list(openers))}; correct it")
    chosen = [
        name
        for name in openers
        if any(fnmatchcase(name, pattern) for pattern in source.clips)
        and not any(fnmatchcase(name, pattern) for pattern in source.without)
    ]
    return [Clip(f"{source.called}:{name}", openers[name], source.stride) for name in chosen]


def _itself(frames: Frames) -> Frames:
    return frames


def _triplets(clips: Sequence[Sequence[Clip]], use: str, processes: int) -> Triplets:
    every = [clip for source in clips for clip in source]
    long = [clip for clip in every if clip.triplets]
    short = [clip.name for clip in every if not clip.triplets]
    for source in [source for source in clips if source] or [every]:
        if not any(clip.triplets for clip in source):
            names = _some([clip.name for clip in source])
            raise UserError(
                f"none of the {len(source)} clips of a source of {use} has three frames in a row, which training needs"
                f" ({names}); give longer video, or drop the source"
            )
    if short and is_first_process():
        say(f"{use}: {len(short)} of {len(every)} clips have less than three frames in a row, left out: {_some(short)}")
    return Triplets(long, processes)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "") or "none"


def _some_sizes(data: Triplets) -> list[tuple[int, int]]:
    """Heights and widths of a few clips, evenly spread."""
    numbers = set(np.linspace(0, len(data.clips) - 1, SIZES_LOOKED_AT).round().astype(int).tolist())
    return [data.clips[number].frames.size for number in sorted(numbers)]


def _check_sides(sizes: Sequence[tuple[int, int]]) -> None:
    height, width = min(sizes, key=min)
    if min(height, width) < LEAST_SIDE:
        raise UserError(f"frames of {width}x{height} are too small to learn motion from, expected {LEAST_SIDE} pixels")


def _fitting_crop(crop: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The crop, no larger than the largest frames along each side; sides that shrink become multiples of 64."""
    sides = []
    for wanted, longest in zip(crop, map(max, zip(*sizes, strict=True)), strict=True):
        whole = longest // MULTIPLE * MULTIPLE or longest
        sides.append(wanted if wanted <= longest else whole)
    if (sides[0], sides[1]) != crop and is_first_process():
        say(f"crops of {crop[0]}x{crop[1]} are larger than the frames; they become {sides[0]}x{sides[1]}")
    return sides[0], sides[1]
