"""A folder of images as the frames of one clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.labels.reading import read_image
from seglift.video.fingerprint import sample_fingerprint
from seglift.video.stems import cityscapes_snippets, frame_stem, natural_key

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})


def list_images(folder: Path) -> list[Path]:
    """Image files directly in ``folder`` by extension (any case), in natural order of their stems.

    Hidden files, other files and sub-folders are left out.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
        paths = [path for path in paths if path.is_file()]
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder} ({error.strerror or error}); check its permissions"
        ) from error
    return sorted(paths, key=lambda path: (natural_key(path.stem), path.name))


class FrameFolder:
    """Images of a folder as frames (see :class:`seglift.video.frames.Frames`); holds names, never pixels.

    Args:
        folder: holds the images; they are ordered naturally by stem, and their sizes must agree.

    Raises:
        UserError: there is no image, the first one cannot be read, two images share a stem, or the frames belong to
            several Cityscapes snippets.
    """

    rate: None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = list_images(folder)
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise UserError(
                f"no images in {folder}; give a folder that directly holds the frames ({kinds}) or a video file"
            )
        self.stems: Sequence[str] = [path.stem for path in self.paths]
        self._check_stems()
        height, width = read_image(self.paths[0]).shape[:2]
        self.size = (height, width)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``: RGB ``uint8 [H, W, 3]``.

        Raises:
            UserError: the file cannot be read or its size differs from the first frame's; names the file.
        """
        path = self._at(index)
        image = read_image(path)
        height, width = image.shape[:2]
        if (height, width) != self.size:
            raise UserError(
                f"{path} is {width}x{height}, the first frame {self.paths[0].name} is {self.size[1]}x{self.size[0]}; "
                "all frames of a clip must have one size: resize or remove it"
            )
        return image

    def fingerprint(self) -> str:
        """64 hexadecimal digits over all frames' :meth:`frame_fingerprint`, in order."""
        return fingerprint_values([self.frame_fingerprint(index) for index in range(len(self))])

    def frame_fingerprint(self, index: int) -> str:
        """64 hexadecimal digits over stem, size and 16 blocks of 4 KiB of the file (see sample_fingerprint)."""
        path = self._at(index)
        return fingerprint_values(path.stem, sample_fingerprint(path))

    def _at(self, index: int) -> Path:
        if not 0 <= index < len(self.paths):
            raise IndexError(f"frame {index} of {len(self.paths)}")
        return self.paths[index]

    def _check_stems(self) -> None:
        seen: dict[str, Path] = {}
        for path in self.paths:
            other = seen.setdefault(frame_stem(path.stem), path)
            if other is not path:
                raise UserError(
                    f"{other.name} and {path.name} in {self.folder} share the stem {frame_stem(path.stem)}, every "
                    "frame needs its own; remove or rename one"
                )
        snippets = cityscapes_snippets([path.stem for path in self.paths])
        if len(snippets) > 1:
            named = ", ".join(snippets[:4]) + (", ..." if len(snippets) > 4 else "")
            raise UserError(
                f"{self.folder} holds {len(snippets)} Cityscapes snippets (beginning at {named}), expected the frames "
                "of one clip; give every snippet its own folder"
            )
