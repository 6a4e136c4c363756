"""Where each class can be found, so that crops can be drawn around rare ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

IGNORE = 255


class ClassPoints:
    """A few random pixels of every class in every label map.

    The idea is class-uniform sampling (Zhu et al., CVPR 2019, section 4.1), with pixels of the class instead of the
    centroids of tiles, which suits the handful of images of a clip.

    Args:
        labels: label maps uint8 [H, W] of train ids, 255 = ignore.
        generator: source of the random choice of pixels.
        per_class: largest number of pixels kept for each class and label map.

    Attributes:
        points: places by train id: numbers of label maps, with some pixels (row, column) of the class in each.
        num_samples: number of label maps.
        pixels: int64 [256], pixels of each train id in all label maps.
    """

    def __init__(
        self, labels: Iterable[NDArray[np.uint8]], generator: np.random.Generator, per_class: int = 256
    ) -> None:
        self.points: dict[int, list[tuple[int, NDArray[np.int64]]]] = {}
        self.num_samples = 0
        self.pixels = np.zeros(256, np.int64)
        for number, label in enumerate(labels):
            self.num_samples += 1
            self.pixels += np.bincount(label.ravel(), minlength=256)
            for value in np.unique(label):
                if value != IGNORE:
                    pixels = np.argwhere(label == value)
                    chosen = generator.choice(len(pixels), min(per_class, len(pixels)), replace=False)
                    self.points.setdefault(int(value), []).append((number, pixels[chosen]))

    @property
    def classes(self) -> Sequence[int]:
        """Train ids that occur, ascending."""
        return sorted(self.points)

    def draw(self, generator: np.random.Generator, balanced: float) -> tuple[int, tuple[int, int] | None]:
        """Number of a label map, and a pixel (row, column) of it that the crop shall show, or None for anywhere.

        With probability ``balanced`` it is a pixel of a class drawn uniformly over the classes.
        """
        if not self.points or generator.random() >= balanced:
            return int(generator.integers(self.num_samples)), None
        places = self.points[self.classes[int(generator.integers(len(self.points)))]]
        number, pixels = places[int(generator.integers(len(places)))]
        row, column = pixels[int(generator.integers(len(pixels)))]
        return number, (int(row), int(column))
