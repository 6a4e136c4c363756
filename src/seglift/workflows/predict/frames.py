"""The pictures that ``seglift predict`` works on: frames of a video, or images of a folder or a tree of folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.datasets.dataset import ImageFile, Source
from seglift.datasets.files import Listing, scan_files
from seglift.labels.space import Array8
from seglift.video.folder import IMAGE_SUFFIXES
from seglift.video.frames import Frames, open_frames

DEEPEST = 8
"""Levels of folders that are looked into."""


@dataclass(frozen=True)
class FrameOf:
    """A frame of a video as a source."""

    frames: Frames
    index: int

    def read(self) -> Array8:
        """The frame, uint8 [H, W, 3] RGB; UserError where it cannot be decoded."""
        return self.frames[self.index]

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the video and the index."""
        return fingerprint_values(self.frames.frame_fingerprint(self.index))

    def __str__(self) -> str:
        return f"frame {self.index}"


def list_pictures(path: Path, out: Path | None = None) -> dict[str, Source]:
    """The pictures by name, in natural order; nothing is decoded but a video's first frame.

    The name is the full file stem (index with six digits in a video), with the folders above it in a tree; where a
    folder directly holds images, those below it are left out. Sizes may differ.

    Args:
        path: a video file, or a folder.
        out: where results go; pictures in it are left out. None where nothing is written.

    Raises:
        UserError: there is nothing, no picture, or two pictures of one name.
    """
    if not path.is_dir():
        video = open_frames(path)
        return {stem: FrameOf(video, index) for index, stem in enumerate(video.stems)}
    own = None
    if out is not None and out.resolve().is_relative_to(path.resolve()):
        own = f"{out.resolve().relative_to(path.resolve())}/"
    for depth in (0, DEEPEST):
        listing = scan_files(path, depth)
        names = tuple(name for name in listing.names if own is None or not name.startswith(own))
        found = Listing(path, names).by_key(*sorted(IMAGE_SUFFIXES))
        if found:
            return {name: ImageFile(file) for name, file in found.items()}
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    raise UserError(f"no images in {path} or the folders below it; give a folder of images ({kinds}) or a video file")
