"""Which labelled frame a view of a refiner's training shows, with which labels that came back, around which pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import derive_seed, numpy_generator
from seglift.labels.space import Array8
from seglift.propagation.cycle import CYCLE, KEYFRAME
from seglift.training.refining.planned import Return
from seglift.training.sampling.class_points import ClassPoints

POINTS, THINNED_SIDE = 64, 256
"""Pixels of each class that are kept of a label, and about the shorter side of the label that they are drawn from."""


@dataclass(frozen=True)
class Draw:
    """What a view shows.

    Attributes:
        number: of the labelled frame.
        which: labelling that came back to it.
        point: row and column of a pixel to be seen; None for anywhere.
    """

    number: int
    which: Return
    point: tuple[int, int] | None = None


class ReturnDraws:
    """Draws that are known from the seed and their position alone.

    Args:
        returns: what comes back to each frame.
        labels: the frames' labels, uint8 [H, W] train ids, read once; none where nothing is balanced.
        lengths: lengths of cycles to draw from.
        keyframe_share: probability of a labelled neighbour's labels, where there are both kinds.
        balanced: share of draws around a pixel of a class chosen uniformly, 0..1.
        seed: of the choice of pixels that are known.

    Attributes:
        pixels: int64 [256], about how many pixels the labels have of each train id, 255 = ignored.
    """

    def __init__(
        self,
        returns: Sequence[Sequence[Return]],
        labels: Iterable[Array8],
        lengths: Sequence[int],
        keyframe_share: float,
        balanced: float,
        seed: int,
    ) -> None:
        self._returns, self._lengths = returns, lengths
        self._keyframe_share, self._balanced = keyframe_share, balanced
        self._strides: list[int] = []
        self._points = ClassPoints(self._thinned(labels), numpy_generator(seed, "class points"), POINTS)
        self.pixels: NDArray[np.int64] = self._points.pixels
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def draw(self, seed: int, position: int) -> Draw:
        """What draw ``position`` (0, 1, ...) shows; without balance every epoch shows each frame once."""
        epoch, place = divmod(position, len(self._returns))
        if self._order is None or self._order[0] != derive_seed(seed, epoch):
            order = numpy_generator(seed, "epoch", epoch).permutation(len(self._returns))
            self._order = derive_seed(seed, epoch), order
        number, point = int(self._order[1][place]), None
        generator = numpy_generator(seed, "return", position)
        if self._points.points and generator.random() < self._balanced:
            number, point = self._points.draw(generator, 1.0)
        which = draw_return(self._returns[number], self._lengths, self._keyframe_share, generator)
        if point is None:
            return Draw(number, which)
        return Draw(number, which, (point[0] * self._strides[number], point[1] * self._strides[number]))

    def _thinned(self, labels: Iterable[Array8]) -> Iterable[Array8]:
        """The labels at every so many-th row and column, which is enough to find their classes."""
        for label in labels:
            stride = max(1, int(min(label.shape)) // THINNED_SIDE)
            self._strides.append(stride)
            yield label[::stride, ::stride]


def draw_return(
    returns: Sequence[Return], lengths: Sequence[int], keyframe_share: float, generator: np.random.Generator
) -> Return:
    """One of what comes back to a frame: a labelled neighbour's labels or a cycle, side and length uniform.

    Args:
        returns: of the frame, at least one.
        lengths: lengths of cycles to draw from; one longer than the video reaches on a side is capped.
        keyframe_share: probability of a labelled neighbour's labels, where there are both kinds.
        generator: source of every random choice.
    """
    keyframes = [one for one in returns if one.kind == KEYFRAME]
    cycles = [one for one in returns if one.kind == CYCLE]
    if keyframes and (not cycles or generator.random() < keyframe_share):
        return keyframes[int(generator.integers(len(keyframes)))]
    sides = sorted({one.side for one in cycles})
    side = sides[int(generator.integers(len(sides)))]
    wanted = lengths[int(generator.integers(len(lengths)))]
    there = [one for one in cycles if one.side == side]
    return max((one for one in there if one.length <= wanted), default=min(there), key=lambda one: one.length)
