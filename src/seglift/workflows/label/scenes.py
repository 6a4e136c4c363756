"""The scenes of a clip: where one ends and another begins, and which frames repeat the one before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from operator import itemgetter
from pathlib import Path

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import read_json, write_json
from seglift.base.progress import ProgressBar
from seglift.base.threads import worker_count
from seglift.motion.scene_changes import CLEAR, Glimpse, SceneChange, SceneWatch, take_glimpse
from seglift.video.frames import Frames

SCENES_NAME = "scenes.json"
DETECTOR = 1
"""Changes with whatever changes a judgement, so that those of another version are not taken over."""


@dataclass(frozen=True)
class Scenes:
    """What is known of a clip's scenes.

    Attributes:
        cuts: first frame of every scene but the first, rising.
        repeats: frames that show what the frame before shows, rising.
    """

    cuts: tuple[int, ...] = ()
    repeats: tuple[int, ...] = ()

    @cached_property
    def repeated(self) -> frozenset[int]:
        """``repeats``, to look up."""
        return frozenset(self.repeats)

    def around(self, index: int, length: int) -> range:
        """The frames of the scene that frame ``index`` of ``length`` belongs to."""
        bounds = (0, *self.cuts, length)
        place = bisect_right(self.cuts, index)
        return range(bounds[place], bounds[place + 1])

    def twin(self, index: int, keyframes: Collection[int]) -> int | None:
        """The keyframe that shows the same as frame ``index`` because all between are repeats; the earlier of two."""
        before = index
        while before in self.repeated:
            before -= 1
            if before in keyframes:
                return before
        after = index
        while after + 1 in self.repeated:
            after += 1
            if after in keyframes:
                return after
        return None

    def sentence(self) -> str:
        """What a user is told, empty where there is nothing to tell."""
        cuts, repeats = len(self.cuts), len(self.repeats)
        told = []
        if cuts:
            told.append(f"{cuts} scene cut{'s' if cuts > 1 else ''}: labels are not carried across")
        if repeats:
            told.append(f"{repeats} frame{'s repeat' if repeats > 1 else ' repeats'} the one before: labels stay")
        return "; ".join(told)


ONE_SCENE = Scenes()


def find_scenes(frames: Frames, cache: Path) -> Scenes:
    """Looks at every frame of a clip once, in memory that does not grow with its length.

    A frame that cannot be read decides nothing; whoever needs it will say what is wrong with it.

    Args:
        frames: the clip.
        cache: file with the judgements of an earlier run, which hold up to the first frame that has changed; written.

    Raises:
        UserError: the cache cannot be written.
    """
    prints = [frames.frame_fingerprint(index)[:16] for index in range(len(frames))]
    known = _read(cache, prints)
    changes: list[SceneChange | None] = [*known]
    if len(known) < len(prints):
        changes += _judge_rest(frames, known)
        lines = [f"{was} {change}" for was, change in takewhile(itemgetter(1), zip(prints, changes, strict=True))]
        write_json(cache, {"detector": DETECTOR, "frames": lines})
    return Scenes(
        tuple(index for index, change in enumerate(changes) if change is SceneChange.CUT),
        tuple(index for index, change in enumerate(changes) if change is SceneChange.REPEAT),
    )


def _judge_rest(frames: Frames, known: list[SceneChange]) -> list[SceneChange | None]:
    """Judges the frames after those that are ``known``; None for one that cannot be read."""

    def look(index: int) -> Glimpse | None:
        with suppress(UserError):
            return take_glimpse(frames[index])
        return None

    def last(kinds: Collection[SceneChange]) -> Glimpse | None:
        index = next((index for index in reversed(range(len(known))) if known[index] in kinds), None)
        return None if index is None else look(index)

    watch = SceneWatch(last((*CLEAR, SceneChange.BLANK)), last(CLEAR))
    found: list[SceneChange | None] = []
    glimpses = work_ahead(look, range(len(known), len(frames)), worker_count())
    with ProgressBar(len(frames), "looking for scene cuts", "frames", len(known), brief=True) as bar:
        for glimpse in glimpses:
            found.append(None if glimpse is None else watch.judge(glimpse))
            bar.advance()
    return found


def _read(cache: Path, prints: list[str]) -> list[SceneChange]:
    """Judgements of the first frames, as far as the frames are those of ``prints``."""
    if not cache.is_file():
        return []
    try:
        content = read_json(cache)
        entries = content["frames"] if content["detector"] == DETECTOR else []
        known = []
        for entry, is_now in zip(entries, prints, strict=False):
            was, change = entry.split()
            if was != is_now:
                break
            known.append(SceneChange(change))
    except (UserError, ValueError, KeyError, TypeError, AttributeError):  # damaged: looked for again
        return []
    return known
