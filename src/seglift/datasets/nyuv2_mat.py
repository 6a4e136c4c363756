"""NYU-Depth V2's labelled file (MATLAB 7.3, that is HDF5): pictures and labels read one at a time, and its lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.labels.space import Array8, LabelSpace
from seglift.video.fingerprint import sample_fingerprint

FINE_CLASSES = 894


@dataclass(frozen=True)
class MatImage:
    """Picture ``index`` (from 0) of the labelled file: ``read`` gives uint8 [H, W, 3] RGB."""

    path: Path
    index: int

    def read(self) -> Array8:
        """The picture; UserError where it cannot be read."""
        return np.ascontiguousarray(_read_array(self.path, "images", self.index).astype(np.uint8).transpose(2, 1, 0))

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the file's size, 16 of its blocks and the index."""
        return fingerprint_values(sample_fingerprint(self.path), "images", self.index)

    def __str__(self) -> str:
        return f"{self.path} (image {self.index + 1})"


@dataclass(frozen=True)
class ClassMap:
    """For each fine label 0..894 (0 = unlabelled) its class 0..40, as Gupta et al. (CVPR 2013) group them."""

    classes: tuple[int, ...]

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """int64 [895]."""
        return np.array(self.classes, np.int64)


@dataclass(frozen=True)
class MatLabel:
    """Label ``index`` (from 0) of the labelled file, in 40 classes: ``read`` gives uint8 [H, W] space index."""

    path: Path
    index: int
    class_map: ClassMap
    space: LabelSpace

    def read(self) -> Array8:
        """The labels; UserError where they cannot be read or hold more than the 894 fine classes."""
        fine = _read_array(self.path, "labels", self.index)
        table = self.class_map.table
        if fine.size and int(fine.max()) >= len(table):
            raise UserError(
                f"{self} has label {int(fine.max())}, 0..{len(table) - 1} are expected; download the file again"
            )
        return self.space.encode(np.ascontiguousarray(table[fine.T]), str(self))

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the file's size, 16 of its blocks, the index and the class map."""
        return fingerprint_values(sample_fingerprint(self.path), "labels", self.index, self.class_map.classes)

    def __str__(self) -> str:
        return f"{self.path} (label {self.index + 1})"


def read_frame_names(path: Path) -> tuple[str, ...]:
    """For each labelled picture the raw frame it is, ``SCENE/r-TIMESTAMP-NUMBER.ppm``.

    Raises:
        UserError: h5py is not installed, or ``path`` is no labelled file.
    """
    with _open(path) as file:
        count = len(file["images"])
        cells = np.ravel(file["rawRgbFilenames"][()], order="F")
        names = tuple("".join(map(chr, np.ravel(file[cell][()]))) for cell in cells)
    if len(names) != count:
        raise UserError(f"{path} has {count} images, but {len(names)} frame names; download the file again")
    return names


def read_split(path: Path) -> dict[str, tuple[int, ...]]:
    """``splits.mat``: numbers (from 1) of the pictures of ``train`` and ``test``.

    Raises:
        UserError: it cannot be read or lacks trainNdxs or testNdxs.
    """
    content = _load_mat(path, ("trainNdxs", "testNdxs"))
    return {name: tuple(int(number) for number in np.ravel(content[f"{name}Ndxs"])) for name in ("train", "test")}


def read_class_map(path: Path) -> ClassMap:
    """``classMapping40.mat`` (its ``mapClass``: the class 1..40 of each fine label 1..894).

    Raises:
        UserError: it cannot be read or its map has another length or other classes.
    """
    classes = [int(value) for value in np.ravel(_load_mat(path, ("mapClass",))["mapClass"])]
    if len(classes) != FINE_CLASSES or not all(0 <= value <= 40 for value in classes):
        raise UserError(
            f"mapClass of {path} has {len(classes)} values from {min(classes, default=0)} to {max(classes, default=0)}"
            f", {FINE_CLASSES} values 1..40 are expected; give the classMapping40.mat of the 40-class task"
        )
    return ClassMap((0, *classes))


def _load_mat(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content: dict[str, Any] = scipy.io.loadmat(path, variable_names=keys)
    except Exception as error:  # scipy lets nearly anything through when a file is damaged
        raise UserError(f"cannot read {path} as a MATLAB file ({error}); download it again") from error
    missing = [key for key in keys if key not in content]
    if missing:
        raise UserError(f"{path} lacks {' and '.join(missing)}; give NYU-Depth V2's own file")
    return content


def _read_array(path: Path, name: str, index: int) -> NDArray[Any]:
    """Element ``index``, axes as HDF5 has them: MATLAB's reversed."""
    with _open(path) as file:
        found: NDArray[Any] = file[name][index]
        return found


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"reading {path} needs h5py, which is missing; pip install 'seglift[nyu]'") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise UserError(
            f"cannot read {path} as NYU-Depth V2's labelled file ({error}); download nyu_depth_v2_labeled.mat again"
        ) from error
