"""A video file as the frames of one clip, read lazily through PyAV, forward, backward and by index."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.video.fingerprint import sample_fingerprint
from seglift.video.orientation import display_matrix, orient
from seglift.video.packets import FrameIndex, decode_packets, frame_rate, index_frames, open_video

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CACHE_BYTES = 128 * 2**20
"""Decoded frames (as YUV, before conversion) that a cursor keeps when it jumps, to be read backward from there."""

KEEP_BEHIND = 8
"""Frames that a cursor keeps behind it while it walks on forward, and the longest step that counts as walking on."""

CURSORS = 2
"""One may walk forward while the other walks backward, as two-sided work does."""


class VideoFile:
    """Frames of a video file (see :class:`seglift.video.frames.Frames`).

    Frames are numbered in the order shown, whatever their times are (variable frame rates are fine). The display matrix
    (rotation, mirroring) of the file is applied; pixels that are not square stay as stored, interlaced fields as woven.
    Reading backward decodes each run between two keyframes in windows that fit ``CACHE_BYTES``. Safe to read from
    several threads, and from processes that are forked off: each decodes for itself.

    Args:
        path: the video file.

    Raises:
        UserError: the file cannot be opened as a video, is truncated or gives no frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index = index_frames(path)
        self._cursors: list[_Cursor] = []
        self._inherited: list[_Cursor] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        container, stream = open_video(path)
        with container:
            self.rate = frame_rate(self._index, stream)
        first = self._frame(0)
        self._matrix = display_matrix(first)
        height, width = self._convert(first).shape[:2]
        self.size = (height, width)
        self.stems: Sequence[str] = [f"{index:06d}" for index in range(self._index.count)]
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        return self._index.count

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``: RGB ``uint8 [H, W, 3]``, 8 bits whatever the depth of the file.

        Raises:
            UserError: the frame cannot be decoded or has another size than the first; names file and frame.
        """
        if not 0 <= index < self._index.count:
            raise IndexError(f"frame {index} of {self._index.count}")
        self._take_over()
        with self._lock:
            image = self._convert(self._frame(index))
        height, width = image.shape[:2]
        if (height, width) != self.size:
            raise UserError(
                f"frame {index} of {self.path} is {width}x{height}, the first one {self.size[1]}x{self.size[0]}; "
                "cut the video where its size changes"
            )
        return image

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the file's size and 64 blocks of 64 KiB of it (see sample_fingerprint)."""
        if self._fingerprint is None:
            self._fingerprint = sample_fingerprint(self.path, blocks=64, block_bytes=2**16)
        return self._fingerprint

    def frame_fingerprint(self, index: int) -> str:
        """64 hexadecimal digits over the file's fingerprint and the frame's index."""
        if not 0 <= index < self._index.count:
            raise IndexError(f"frame {index} of {self._index.count}")
        return fingerprint_values(self.fingerprint(), index)

    def rest(self) -> None:
        """Lets go of open decoders and of the frames they keep; reading opens them again."""
        self._take_over()
        with self._lock:
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()

    def _take_over(self) -> None:
        """Leaves alone what another process opened before it forked this one off.

        Both would move one file position, and the threads of its decoders do not live here: to use them crashes, to
        close them waits for ever.
        """
        if self._process != os.getpid():
            self._inherited, self._cursors, self._lock = self._cursors, [], threading.Lock()
            self._process = os.getpid()

    def _convert(self, frame: VideoFrame) -> NDArray[np.uint8]:
        return orient(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8), self._matrix)

    def _frame(self, index: int) -> VideoFrame:
        for cursor in self._cursors:
            if index in cursor.cache:
                self._cursors.sort(key=lambda other: other is cursor)
                return cursor.cache[index]
        frame = self._cursor_for(index).read(index)
        if frame is None:
            raise UserError(
                f"frame {index} of {self.path} cannot be decoded, the file is damaged there; copy or encode it again, "
                "or leave the frame out with --frames"
            )
        return frame

    def _cursor_for(self, index: int) -> _Cursor:
        """The cursor to read ``index`` with, moved to the end of the list (least recently used first)."""
        near = [cursor for cursor in self._cursors if cursor.reaches(index)]
        backward = [cursor for cursor in self._cursors if index + 1 in cursor.cache]
        nearest = max(near, key=lambda other: other.next, default=None)
        if nearest is not None and (index - nearest.next < KEEP_BEHIND or not backward):
            cursor = nearest
        elif backward:
            cursor = backward[0]
        elif len(self._cursors) < CURSORS:
            cursor = _Cursor(self.path, self._index)
            self._cursors.append(cursor)
        else:
            cursor = self._cursors[0]
        self._cursors.sort(key=lambda other: other is cursor)
        return cursor


class _Cursor:
    """One open decoder that walks forward from keyframes and remembers the frames it passed."""

    def __init__(self, path: Path, index: FrameIndex) -> None:
        self.path, self.index = path, index
        self.next = 0
        self.cache: OrderedDict[int, VideoFrame] = OrderedDict()
        self._bytes = 0
        self._open: tuple[InputContainer, VideoStream] | None = None
        self._frames: Iterator[tuple[int, VideoFrame]] = iter(())

    def close(self) -> None:
        """Closes the decoder and forgets all frames."""
        self._frames = iter(())
        self._forget(0)
        if self._open is not None:
            self._open[0].close()
        self._open = None

    def reaches(self, index: int) -> bool:
        """Whether walking on to ``index`` costs no more than starting again at its keyframe."""
        return self._open is not None and self._key_index(index) <= self.next <= index

    def read(self, index: int) -> VideoFrame | None:
        """Decodes up to frame ``index``, filling the cache; None where the file does not give that frame."""
        if self.reaches(index):
            step = index - self.next
            frame = self._walk(index)
            if frame is not None:
                if step < KEEP_BEHIND:
                    self._forget(KEEP_BEHIND)
                return frame
        times = self.index.times
        if times is not None:
            before = int(np.searchsorted(self.index.key_times, times[index], side="right")) - 1
            for back in (before, before - 1, before - 4):
                if back > 0:
                    self._seek(int(self.index.key_times[back]))
                    frame = self._walk(index)
                    if frame is not None:
                        return frame
        self._restart()
        return self._walk(index)

    def _key_index(self, index: int) -> int:
        times, keys = self.index.times, self.index.key_times
        if times is None:
            return 0
        key = int(np.searchsorted(keys, times[index], side="right")) - 1
        return int(np.searchsorted(times, keys[key])) if key > 0 else 0

    def _walk(self, index: int) -> VideoFrame | None:
        for shown, frame in self._frames:
            self.next = shown + 1
            self._remember(shown, frame)
            if shown >= index:
                return frame if shown == index and not frame.is_corrupt else None
        self.next = self.index.count
        return None

    def _remember(self, index: int, frame: VideoFrame) -> None:
        if index in self.cache:
            self._bytes -= _size(self.cache.pop(index))
        self.cache[index] = frame
        self._bytes += _size(frame)
        while self._bytes > CACHE_BYTES and len(self.cache) > 2:
            self._forget(len(self.cache) - 1)

    def _forget(self, keep: int) -> None:
        """Drops the frames that were decoded longest ago until ``keep`` are left."""
        while len(self.cache) > keep:
            self._bytes -= _size(self.cache.popitem(last=False)[1])

    def _restart(self) -> None:
        if self._open is not None:
            self._open[0].close()
        self._open = container, stream = open_video(self.path)
        self.next = 0
        decoded = decode_packets(container.demux(stream))
        self._frames = self._numbered(decoded, None) if self.index.times is not None else enumerate(decoded)

    def _seek(self, time: int) -> None:
        import av

        if self._open is None:
            self._open = open_video(self.path)
        container, stream = self._open
        self._frames = iter(())
        try:
            container.seek(time, stream=stream, backward=True)
        except av.FFmpegError:
            return
        for packet in (packets := container.demux(stream)):
            if packet.is_keyframe:
                self._frames = self._numbered(decode_packets(_chain(packet, packets)), packet.pts)
                return

    def _numbered(self, frames: Iterator[VideoFrame], floor: int | None) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their index; those shown before ``floor``, the keyframe decoding began at, lack references."""
        for frame in frames:
            index = self.index.find(frame.pts)
            if index is not None and (floor is None or (frame.pts is not None and frame.pts >= floor)):
                yield index, frame


def _chain(first: Packet, rest: Iterator[Packet]) -> Iterator[Packet]:
    yield first
    yield from rest


def _size(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
