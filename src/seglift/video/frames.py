"""What a sequence of frames is: a folder of images, a video file or a cut of either behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.video.file import VideoFile
from seglift.video.folder import IMAGE_SUFFIXES, FrameFolder


class Frames(Protocol):
    """Frames of one clip, read lazily: memory does not grow with their number."""

    @property
    def stems(self) -> Sequence[str]:
        """Full file stem of every frame (``_leftImg8bit`` kept); for a video the index from 0 with six digits."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, the same for every frame."""
        ...

    @property
    def rate(self) -> Fraction | None:
        """Frames per second, exact; the average for a variable rate; None where unknown (a folder of images)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index`` (0 <= index < len; IndexError otherwise): RGB ``uint8 [H, W, 3]``, owned by the caller.

        Raises:
            UserError: the frame cannot be read or has another size than the first; names the file or the frame.
        """
        ...

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and content of all frames; see the implementation for what is hashed."""
        ...

    def frame_fingerprint(self, index: int) -> str:
        """64 hexadecimal digits over name and content of one frame."""
        ...


class CutFrames:
    """Frames ``first <= i < last`` of other frames under their own stems, counted from 0."""

    def __init__(self, source: Frames, first: int, last: int) -> None:
        if not 0 <= first < last <= len(source):
            raise ValueError(f"expected 0 <= first < last <= {len(source)} frames, got {first}:{last}")
        self.source, self.first, self.last = source, first, last
        self.stems: Sequence[str] = source.stems[first:last]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.source.size

    @property
    def rate(self) -> Fraction | None:
        """Frames per second of the source."""
        return self.source.rate

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self.source[self._at(index)]

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the fingerprints of the frames inside the cut."""
        return fingerprint_values([self.frame_fingerprint(index) for index in range(len(self))])

    def frame_fingerprint(self, index: int) -> str:
        """The source's fingerprint of the frame."""
        return self.source.frame_fingerprint(self._at(index))

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return self.first + index


def cut_frames(frames: Frames, first: int | None, last: int | None) -> Frames:
    """A view of frames ``first <= i < last`` that keeps stems; None stands for the beginning or the end.

    Raises:
        UserError: the range is empty or reaches outside the frames.
    """
    start, end = 0 if first is None else first, len(frames) if last is None else last
    if not 0 <= start < end <= len(frames):
        shown = f"{'' if first is None else first}:{'' if last is None else last}"
        raise UserError(
            f"--frames {shown} is empty or out of range for {len(frames)} frames; "
            f"give A:B with 0 <= A < B <= {len(frames)}"
        )
    return frames if (start, end) == (0, len(frames)) else CutFrames(frames, start, end)


def open_frames(path: Path) -> Frames:
    """Opens a folder of images or a video file.

    Raises:
        UserError: nothing is there, or it is neither; see :class:`FrameFolder` and :class:`VideoFile` for the rest.
    """
    if path.is_dir():
        return FrameFolder(path)
    if not path.exists():
        raise UserError(f"no frames at {path}; give a video file or a folder of images")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(
            f"{path} is one image, expected a video file or a folder of images; give the folder that holds it"
        )
    return VideoFile(path)
