"""Labels that came back to labelled frames, made once and kept as PNGs; a killed making goes on frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, remove_leftovers, write_json
from seglift.base.progress import ProgressBar
from seglift.datasets.dataset import Source
from seglift.labels.reading import read_gray, read_image
from seglift.labels.space import Array8
from seglift.labels.writing import write_png
from seglift.motion.estimator import MotionEstimator
from seglift.propagation.cycle import LabelledNeighbourhood, ReturnConfig, all_returns
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.training.refining.planned import PlannedFrame, Return

INDEX_NAME = "index.json"


@dataclass(frozen=True)
class Making:
    """What makes labels come back.

    Attributes:
        config: which labels, and how they travel.
        estimator: motion between neighbours.
        teacher_for: the segmentation model that fills in on the way to a frame: with folds, the one that was trained
            without it.
        identity: what identifies motion and that model, for a frame; others make the labels anew.
        device: where tensors lie.
    """

    config: ReturnConfig
    estimator: MotionEstimator
    teacher_for: Callable[[PlannedFrame], SemanticLabeller]
    identity: Callable[[PlannedFrame], str]
    device: torch.device


@dataclass(frozen=True)
class ReturnedFrame:
    """A labelled frame with one of the labellings that came back to it.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        label: as a human drew it, uint8 [H, W] train ids, 255 = ignored.
        warped: the neighbour's picture carried here, uint8 [H, W, 3] RGB.
        carried: what came back, uint8 [H, W] train ids, 255 = ignored.
    """

    image: Array8
    label: Array8
    warped: Array8
    carried: Array8

    @property
    def nbytes(self) -> int:
        """Bytes of all four."""
        return self.image.nbytes + self.label.nbytes + self.warped.nbytes + self.carried.nbytes


class ReturnsCache:
    """The labellings that come back to some frames, in ``folder``: one folder for each frame, its index last.

    Args:
        folder: need not exist; several caches may share it, a frame's folder is known by its fingerprint.
        frames: the labelled frames.
        making: what makes them.
    """

    def __init__(self, folder: Path, frames: Sequence[PlannedFrame], making: Making) -> None:
        self.folder, self.frames = folder, tuple(frames)
        settings = (making.config.tau, making.config.resample)
        self._names = [
            fingerprint_values(frame.fingerprint(), settings, making.identity(frame))[:32] for frame in self.frames
        ]

    def __len__(self) -> int:
        return len(self.frames)

    def make(self, making: Making, title: str, quiet: bool = False) -> None:
        """Makes what is not there yet.

        Args:
            making: as given to the constructor.
            title: what the progress bar says.
            quiet: no progress bar.

        Raises:
            UserError: a frame or label cannot be read or is of another size, or ``folder`` cannot be written.
        """
        missing = [number for number in range(len(self)) if not self._is_whole(number)]
        done = len(self) - len(missing)
        with ProgressBar(len(self), title, "frames", done=done, quiet=quiet or not missing) as bar:
            for number in missing:
                self._make_one(number, making)
                bar.advance()

    def read(self, number: int, which: Return) -> ReturnedFrame:
        """Frame ``number`` with one of its ``returns``.

        Raises:
            UserError: a file cannot be read.
        """
        frame, place = self.frames[number], self._place(number)
        image, drawn = frame.frames[frame.key], self.label(number)
        return ReturnedFrame(image, drawn, read_image(place / which.warped_file), read_gray(place / which.file))

    def label(self, number: int) -> Array8:
        """What a human drew of frame ``number``, uint8 [H, W] train ids, 255 = ignored."""
        frame = self.frames[number]
        return frame.space.to_train(_read_label(frame, frame.key))

    def fingerprint(self) -> str:
        """Of frames, labels and all that makes labels come back."""
        return fingerprint_values(self._names)

    def _place(self, number: int) -> Path:
        return self.folder / self._names[number]

    def _is_whole(self, number: int) -> bool:
        place = self._place(number)
        if not (place / INDEX_NAME).is_file():
            return False
        try:
            files = read_json(place / INDEX_NAME)["files"]
            return all((place / name).is_file() for name in files)
        except (UserError, KeyError, TypeError):
            return False

    def _make_one(self, number: int, making: Making) -> None:
        frame, place = self.frames[number], self._place(number)
        remove_leftovers(place)
        files: list[str] = []
        for made in all_returns(
            neighbourhood(frame, making.device), making.estimator, making.teacher_for(frame), making.config
        ):
            which = Return(made.kind, made.side, made.length)
            write_png(place / which.file, frame.space.to_train(made.labels[0].cpu().numpy()))
            files.append(which.file)
            if which.warped_file not in files:
                picture = made.warped[0].permute(1, 2, 0).cpu().numpy()
                write_png(place / which.warped_file, np.ascontiguousarray(picture))
                files.append(which.warped_file)
        write_json(place / INDEX_NAME, {"frame": frame.item.name, "files": sorted(files)})


def neighbourhood(frame: PlannedFrame, device: torch.device) -> LabelledNeighbourhood:
    """A planned frame's frames and labels as tensors on ``device``, each read once and only when asked for.

    Asking raises a UserError where a file cannot be read or a label is of another size than its frame.
    """

    @cache
    def image(index: int) -> Tensor:
        return torch.from_numpy(frame.frames[index]).permute(2, 0, 1)[None].to(device)

    def label(index: int) -> Callable[[], Tensor]:
        return cache(lambda: torch.from_numpy(_read_label(frame, index))[None].to(device))

    labels = {index: label(index) for index in frame.labels}
    return LabelledNeighbourhood(image, len(frame.frames), frame.key, frame.reach, labels)


def _read_label(frame: PlannedFrame, index: int) -> Array8:
    source: Source = frame.labels[index]
    labels = source.read()
    height, width = frame.frames.size
    if labels.shape != (height, width):
        raise UserError(
            f"{source} is {labels.shape[1]}x{labels.shape[0]}, its image is {width}x{height}; expected one size:"
            " correct or remove it"
        )
    return labels
