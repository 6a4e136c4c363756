"""Every three frames of clips that follow each other at a stride."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from seglift.base.files import fingerprint_values
from seglift.labels.space import Array8
from seglift.training.videos.array_cache import ArrayCache
from seglift.video.file import VideoFile
from seglift.video.frames import Frames

CACHE_BYTES = 1 << 30
"""Decoded frames that are kept, over all loading processes."""
CLIPS_AWAKE = 4
"""Clips whose decoders are left open, so that memory and open files do not grow with the number of videos."""


class Clip:
    """The frames of one clip, opened when they are first asked for, and anew in another process.

    Args:
        name: for messages.
        opener: gives the frames; must pickle.
        stride: frames from one frame of a triplet to the next, at least 1.

    Raises:
        UserError: the clip cannot be opened.
    """

    def __init__(self, name: str, opener: Callable[[], Frames], stride: int = 1) -> None:
        self.name, self.opener, self.stride = name, opener, stride
        self._frames: Frames | None = opener()
        self.length = len(self._frames)
        self.rest()

    @property
    def frames(self) -> Frames:
        """The frames."""
        if self._frames is None:
            self._frames = self.opener()
        return self._frames

    @property
    def triplets(self) -> int:
        """How many triplets it has, 0 where it is too short."""
        return max(0, self.length - 2 * self.stride)

    def rest(self) -> None:
        """Lets go of the decoders of a video file; they are opened again when a frame is asked for."""
        if isinstance(self._frames, VideoFile):
            self._frames.rest()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_frames": None}


class Triplets:
    """The triplets of clips, one clip after the other.

    Args:
        clips: each with a triplet.
        processes: loading processes that each keep frames of their own; they share the limit.
        limit: bytes of decoded frames that may be kept.

    Raises:
        ValueError: no clip, or one without a triplet.
    """

    def __init__(self, clips: Sequence[Clip], processes: int = 1, limit: int = CACHE_BYTES) -> None:
        if not clips or min(clip.triplets for clip in clips) < 1:
            raise ValueError("expected clips with at least one triplet each")
        self.clips = tuple(clips)
        self._limit = limit // max(1, processes)
        self._ends = list(accumulate(clip.triplets for clip in clips))
        self._cache: ArrayCache[Array8] = ArrayCache(self._limit)
        self._awake: OrderedDict[int, Clip] = OrderedDict()

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> tuple[Array8, Array8, Array8]:
        """Triplet ``number`` in the order of time, each frame uint8 [H, W, 3] RGB; not to be written to.

        Raises:
            UserError: a frame cannot be read, or is of another size than the rest of its clip.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"triplet {number} of {len(self)}")
        which = bisect_right(self._ends, number)
        clip = self.clips[which]
        first = number - (self._ends[which - 1] if which else 0)
        earlier, middle, later = (self._frame(which, first + step * clip.stride) for step in range(3))
        return earlier, middle, later

    def _frame(self, which: int, index: int) -> Array8:
        return self._cache.get((which, index), lambda: self._read(which, index))

    def _read(self, which: int, index: int) -> Array8:
        clip = self._awake[which] = self.clips[which]
        self._awake.move_to_end(which)
        while len(self._awake) > CLIPS_AWAKE:
            self._awake.popitem(last=False)[1].rest()
        return clip.frames[index]

    def rest(self) -> None:
        """Lets go of all decoders of video files: their threads must not be at work while processes are forked off."""
        while self._awake:
            self._awake.popitem()[1].rest()

    def fingerprint(self) -> str:
        """64 hexadecimal digits over strides and content of all clips (files are sampled, not read whole)."""
        return fingerprint_values([(clip.stride, clip.frames.fingerprint()) for clip in self.clips])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": ArrayCache(self._limit), "_awake": OrderedDict()}
