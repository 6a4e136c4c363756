"""Which image each view of a training shows, and around which pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import numpy_generator
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.sampling.class_points import ClassPoints
from seglift.training.sampling.epoch_plan import EpochPlan

Point = tuple[int, int]


class ImageDraws(Protocol):
    """Draws of images, known from their position in the training alone."""

    @property
    def epoch_size(self) -> int:
        """Draws of an epoch."""

    def draw(self, position: int) -> tuple[int, Point | None]:
        """Number of the sample of draw ``position`` (0, 1, ...), and a pixel (row, column) of it to show, or None."""

    def class_pixels(self, num_classes: int) -> NDArray[np.int64]:
        """Labelled pixels of each train id, int64 [C]."""

    def fingerprint(self) -> str:
        """Changes with what the draws depend on besides the samples."""


@dataclass(frozen=True)
class ClipDraws:
    """Each draw on its own, from the few labelled images of a clip.

    Attributes:
        points: where the classes are.
        balanced: share of draws around a pixel of a class chosen uniformly, 0..1.
        seed: decides every draw.
    """

    points: ClassPoints
    balanced: float
    seed: int

    @property
    def epoch_size(self) -> int:
        """As many draws as there are images."""
        return self.points.num_samples

    def draw(self, position: int) -> tuple[int, Point | None]:
        """See :meth:`ImageDraws.draw`."""
        return self.points.draw(numpy_generator(self.seed, "draw", position), self.balanced)

    def class_pixels(self, num_classes: int) -> NDArray[np.int64]:
        """See :meth:`ImageDraws.class_pixels`."""
        return self.points.pixels[:num_classes]

    def fingerprint(self) -> str:
        """The share of balanced draws."""
        return f"clip {self.balanced}"


@dataclass(frozen=True)
class PlannedDraws:
    """Draws of class-uniform epochs over datasets.

    Attributes:
        plan: made over the class indices of the datasets.
        samples: their items.
    """

    plan: EpochPlan
    samples: DatasetSamples

    @property
    def epoch_size(self) -> int:
        """Draws of an epoch."""
        return self.plan.size

    def draw(self, position: int) -> tuple[int, Point | None]:
        """See :meth:`ImageDraws.draw`."""
        draw = self.plan.draw_at(position)
        return self.samples.number_of(draw.source, draw.item), draw.point

    def class_pixels(self, num_classes: int) -> NDArray[np.int64]:
        """See :meth:`ImageDraws.class_pixels`; over all sources, whatever their share."""
        counts = [source.index.pixels.sum(0) for source in self.plan.sources if source.index is not None]
        return np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(num_classes, np.int64)

    def fingerprint(self) -> str:
        """The plan's."""
        return self.plan.fingerprint()
