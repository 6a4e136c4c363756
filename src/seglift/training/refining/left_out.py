"""Keyframes with what was made of them as if they were not labelled, on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file
from seglift.base.weights import load_weights, save_weights
from seglift.training.images.sample import Sample

BOTH, EARLIER, LATER = "both", "earlier", "later"
"""Which keyframes a decision came from: both neighbours, or one alone."""


@dataclass(frozen=True)
class Decision:
    """What was decided of a keyframe without looking at its labels.

    Attributes:
        labels: uint8 ``[1, H, W]`` space index.
        warped: the nearer neighbour's picture, carried to the keyframe, RGB uint8 ``[1, 3, H, W]``.
        classes: probability of each class by a model that has not seen the keyframe, uint8 ``[1, C, h, w]``, 0..255 =
            0..1, at any resolution.
    """

    labels: Tensor
    warped: Tensor
    classes: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of all three."""
        return self.labels.nbytes + self.warped.nbytes + self.classes.nbytes


@dataclass(frozen=True)
class LeftOut:
    """A keyframe and the decisions of it, in files.

    Attributes:
        index: of the frame.
        sample: reads picture and labels (train ids) as a human drew them.
        folder: of the files.
        sides: which decisions there are, of ``both``, ``earlier`` and ``later``.
    """

    index: int
    sample: Callable[[], Sample]
    folder: Path
    sides: tuple[str, ...]

    @property
    def in_use(self) -> str:
        """The decision that is most like those in use: of both neighbours where there are two."""
        return BOTH if BOTH in self.sides else self.sides[0]

    def path(self, side: str) -> Path:
        """The file of a decision."""
        return self.folder / f"{self.index:07d}_{side}.safetensors"

    def write(self, side: str, decision: Decision) -> None:
        """Writes a decision; the file appears when it is whole.

        Raises:
            UserError: the folder cannot be written.
        """
        tensors = {"labels": decision.labels, "warped": decision.warped, "classes": decision.classes}
        save_weights(self.path(side), tensors, {})

    def read(self, side: str) -> Decision:
        """Reads a decision, on the CPU.

        Raises:
            UserError: the file is missing or damaged.
        """
        tensors, _ = load_weights(self.path(side))
        return Decision(tensors["labels"], tensors["warped"], tensors["classes"])

    def is_whole(self) -> bool:
        """Whether every decision can be read."""
        try:
            for side in self.sides:
                self.read(side)
        except (UserError, KeyError):
            return False
        return True

    def fingerprint(self) -> list[str]:
        """Of the content of every file."""
        return [fingerprint_file(self.path(side)) for side in self.sides]


def quantised(probabilities: Tensor) -> Tensor:
    """Float32 0..1 to uint8 0..255, same shape."""
    return (probabilities * 255.0).round_().clamp_(0, 255).to(torch.uint8)
