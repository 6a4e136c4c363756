"""Labels that come back to a frame whose true labels are known: what a refiner learns from.

Cycle-consistency (Ganeshan et al. 2021, section 3.4): a human's labels go l frames out by warp-inpaint and l frames
back by motion estimated the other way. Cycles understate errors, since those of the two ways cancel; where a neighbour
is labelled too, its labels carried to the frame show true ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.refine import carried_image
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import (
    FramePair,
    GetFrame,
    Origin,
    Propagated,
    StepMotion,
    estimate_flow,
    keyframe_state,
)

CYCLE, KEYFRAME = "cycle", "keyframe"
"""Kinds of what comes back: the frame's own labels, or those of a labelled neighbour."""
DEFAULT_TAU = 40.0
"""Photometric threshold where none was chosen, RGB distance in 0..255 units."""


@dataclass(frozen=True)
class ReturnConfig:
    """Which labels come back to a labelled frame, and how they travel."""

    lengths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    """Lengths l of the cycles, frames; longer ones than the video has neighbours are capped. Empty: no cycles."""
    keyframes: tuple[int, ...] = ()
    """Distances over which labels of labelled neighbours are carried to the frame; those that are not labelled do not
    count."""
    tau: float | Literal["auto", "inf"] = DEFAULT_TAU
    """Threshold on the RGB distance of the warped image, 0..255 units, from which on a model fills in; inf: it fills in
    only what is out of view; auto: the one of 10, 20, 40, 60, 80, 100, 150 and inf with the best labels."""
    resample: Literal["recursive", "once"] = "recursive"
    """Whether labels are warped again at every step, as published, or sampled once from where they set out."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "lengths": (all(length >= 1 for length in self.lengths), "whole numbers from 1"),
            "keyframes": (all(distance >= 1 for distance in self.keyframes), "whole numbers from 1"),
            "tau": (
                self.tau in ("auto", "inf") if isinstance(self.tau, str) else 0 <= self.tau < math.inf,
                "at least 0, or one of the words inf, auto",
            ),
            "resample": (self.resample in {"recursive", "once"}, "recursive or once"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")
        if not (self.lengths or self.keyframes):
            raise UserError("lengths and keyframes are both empty, expected some labels to come back; give one of them")

    @property
    def threshold(self) -> float:
        """``tau`` as a number, ``math.inf`` for none.

        Raises:
            ValueError: it is ``auto`` still.
        """
        if self.tau == "auto":
            raise ValueError("tau is auto, expected a number; choose one first (see seglift.propagation.tau)")
        return float(self.tau)

    @property
    def furthest(self) -> int:
        """Frames that anything travels at most."""
        return max((*self.lengths, *self.keyframes))

    def lengths_within(self, reach: int) -> tuple[int, ...]:
        """The cycles that a video with ``reach`` neighbours on one side has: capped, each once, rising."""
        return tuple(sorted({min(length, reach) for length in self.lengths})) if reach >= 1 else ()

    def keyframes_within(self, reach: int) -> tuple[int, ...]:
        """The distances to labelled neighbours that are within ``reach``, rising."""
        return tuple(sorted({distance for distance in self.keyframes if distance <= reach}))


@dataclass(frozen=True)
class Returned:
    """Labels that came to the labelled frame.

    Attributes:
        kind: ``cycle`` or ``keyframe``.
        side: -1 where they came over the frame before, 1 over the one after.
        length: l of a cycle; distance of the labelled neighbour.
        labels: uint8 ``[1, H, W]`` space index.
        warped: I^m, the neighbour on that side warped onto the frame by the last step's motion, RGB uint8
            ``[1, 3, H, W]``.
    """

    kind: str
    side: int
    length: int
    labels: Tensor
    warped: Tensor


class ReturnTrip:
    """One side of a labelled frame: the neighbours, and the motion between them both ways, each estimated once.

    Args:
        frame: gives the frames of the clip; asked again for a frame it should give the same tensor.
        length: number of frames of the clip; an estimator that looks further back is shown frames of it only.
        key: index of the labelled frame.
        side: -1 for the frames before it, 1 for those after.
        estimator: motion between neighbours.
        labeller: the segmentation model that fills in, one that has not learnt the frame where there is one.
        config: how labels travel.
    """

    def __init__(
        self,
        frame: GetFrame,
        length: int,
        key: int,
        side: int,
        estimator: MotionEstimator,
        labeller: SemanticLabeller,
        config: ReturnConfig,
    ) -> None:
        if side not in (-1, 1):
            raise ValueError(f"side is {side}, expected -1 or 1")
        self.frame, self.length, self.key, self.side, self.estimator = frame, length, key, side, estimator
        remembering = RememberingLabeller(labeller.model, labeller.space, labeller.alone)
        self.inpaint = Inpaint(remembering, config.threshold, config.resample == "recursive")
        self._motion: dict[tuple[int, int], StepMotion] = {}

    def at(self, tau: float) -> ReturnTrip:
        """The same trip with another threshold; motion and the model's labels are shared, each estimated once."""
        other = copy(self)
        other.inpaint = replace(self.inpaint, tau=tau)
        return other

    def cycles(self, labels: Tensor, lengths: tuple[int, ...]) -> Iterator[Returned]:
        """The frame's own labels uint8 ``[1, H, W]`` (space index), out and back, for each length, rising."""
        out = keyframe_state(Origin(labels, self.frame(self.key)))
        for distance in range(1, max(lengths, default=0) + 1):
            out = self._step(out, distance - 1, distance)
            if distance in lengths:
                yield self._home(CYCLE, distance, out)

    def from_keyframe(self, labels: Tensor, distance: int) -> Returned:
        """Labels uint8 ``[1, H, W]`` (space index) of the neighbour at ``distance``, carried to the frame."""
        state = keyframe_state(Origin(labels, self.frame(self._index(distance))))
        return self._home(KEYFRAME, distance, state)

    def _home(self, kind: str, distance: int, state: Propagated) -> Returned:
        """Steps back from ``distance`` to the frame."""
        for before in range(distance, 0, -1):
            state = self._step(state, before, before - 1)
        last = FramePair(self.frame, self._index(1), self.key)
        return Returned(kind, self.side, distance, state.labels, carried_image(last, self._between(1, 0)))

    def _step(self, state: Propagated, source: int, target: int) -> Propagated:
        frames = FramePair(self.frame, self._index(source), self._index(target))
        return self.inpaint.step(state, frames, self._between(source, target))

    def _between(self, source: int, target: int) -> StepMotion:
        """Motion onto the frame at distance ``target``, which samples the one at ``source``."""
        if (source, target) not in self._motion:
            beyond = self._index(2 * source - target)
            looks_back = wants_previous(self.estimator) and 0 <= beyond < self.length
            first, second = self.frame(self._index(source)), self.frame(self._index(target))
            flow = estimate_flow(self.estimator, first, second, self.frame(beyond) if looks_back else None)
            self._motion[source, target] = StepMotion(flow, torch.zeros_like(flow[:, 0]))
        return self._motion[source, target]

    def _index(self, distance: int) -> int:
        return self.key + self.side * distance


@dataclass(frozen=True)
class RememberingLabeller(SemanticLabeller):
    """A labeller that looks at each frame (the same tensor) once; it lives as long as a trip."""

    seen: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def labels(self, image: Tensor) -> Tensor:
        """See :meth:`SemanticLabeller.labels`."""
        for known, labels in self.seen:
            if known is image:
                return labels
        labels = super().labels(image)
        self.seen.append((image, labels))
        return labels


@dataclass(frozen=True)
class LabelledNeighbourhood:
    """A labelled frame, the frames around it, and the labels of those that are labelled too.

    Attributes:
        frame: gives the frames by index.
        length: number of frames.
        key: index of the labelled frame.
        reach: neighbours before and after it.
        labels: gives labels uint8 ``[1, H, W]`` (space index) by index; the key is among them.
    """

    frame: GetFrame
    length: int
    key: int
    reach: tuple[int, int]
    labels: Mapping[int, Callable[[], Tensor]]


def all_returns(
    around: LabelledNeighbourhood, estimator: MotionEstimator, labeller: SemanticLabeller, config: ReturnConfig
) -> Iterator[Returned]:
    """Everything that comes back to one labelled frame: the side before it, then the one after; cycles, keyframes.

    Args:
        around: the frame and its neighbours.
        estimator: motion between neighbours.
        labeller: fills in at every step.
        config: which labels, and how they travel.

    Raises:
        UserError: a frame or label cannot be read, or the estimator gave NaN.
    """
    for trip, reach in both_trips(around, estimator, labeller, config):
        yield from returns_of(trip, reach, around, config)


def both_trips(
    around: LabelledNeighbourhood, estimator: MotionEstimator, labeller: SemanticLabeller, config: ReturnConfig
) -> Iterator[tuple[ReturnTrip, int]]:
    """The trips over the two sides of a labelled frame, each with how many neighbours it has; see :func:`all_returns`.

    Raises:
        ValueError: the threshold is not chosen yet.
    """
    for side, reach in zip((-1, 1), around.reach, strict=True):
        yield ReturnTrip(around.frame, around.length, around.key, side, estimator, labeller, config), reach


def returns_of(trip: ReturnTrip, reach: int, around: LabelledNeighbourhood, config: ReturnConfig) -> Iterator[Returned]:
    """Everything that comes back over one side: cycles, then keyframes; see :func:`all_returns`."""
    lengths = config.lengths_within(reach)
    if lengths:
        yield from trip.cycles(around.labels[around.key](), lengths)
    for distance in config.keyframes_within(reach):
        labels = around.labels.get(around.key + trip.side * distance)
        if labels is not None:
            yield trip.from_keyframe(labels(), distance)
