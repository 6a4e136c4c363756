"""Walking away from one keyframe in one direction: labels, and whatever else rides on the same motion.

Neighbours of a labelled frame are reached step by step (Zhu et al. 2019, section 3.1); the motion of a step is
estimated once, from real frames, and serves labels, picture, instances and confidence alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.maps import map_from_flow
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.state import (
    FramePair,
    GetFrame,
    Origin,
    Propagated,
    Propagator,
    StepMotion,
    estimate_flow,
    estimate_pair,
    keyframe_state,
)


@dataclass(frozen=True)
class SideWalker:
    """Walks a propagator away from keyframes of one clip.

    Attributes:
        frame: gives the real frames.
        length: number of frames of the clip; an estimator that looks further back is shown frames of it only.
        estimator: motion between neighbours.
        propagator: what a step does.
        check: estimate the way back too, for the forward-backward error that confidence needs; without it a step
            costs one flow, and the error is said to be 0.
    """

    frame: GetFrame
    length: int
    estimator: MotionEstimator
    propagator: Propagator
    check: bool = True

    def walk(self, origin: Origin, indices: range) -> Iterator[tuple[int, Propagated, StepMotion]]:
        """Steps from the keyframe ``indices[0]`` along neighbouring frames, rising or falling.

        Args:
            origin: the keyframe.
            indices: frames of the clip, the keyframe first.

        Yields:
            After each step the frame reached, the state on it, and the motion of the step.

        Raises:
            UserError: a frame cannot be read, or the estimator gave NaN.
        """
        state = keyframe_state(origin)
        for source, target in pairwise(indices):
            motion = self._motion(source, target)
            state = self.propagator.step(state, FramePair(self.frame, source, target), motion)
            yield target, state, motion

    def _motion(self, source: int, target: int) -> StepMotion:
        """Motion onto ``target``; what "before" and "after" mean turns with the direction of travel."""
        ahead = target - source
        first, second, before = self.frame(source), self.frame(target), self._beyond(source - ahead)
        if self.check:
            return estimate_pair(self.estimator, first, second, before, self._beyond(target + ahead))[0]
        flow = estimate_flow(self.estimator, first, second, before)
        return StepMotion(flow, torch.zeros_like(flow[:, 0]))

    def _beyond(self, index: int) -> Tensor | None:
        return self.frame(index) if 0 <= index < self.length and wants_previous(self.estimator) else None


class Rider:
    """A picture or a map that is carried by the motion of a walk, as its labels are.

    Args:
        values: on the keyframe; a picture uint8 ``[B, 3, H, W]`` is sampled bilinearly, the border replicated; a map
            ``[B, H, W]`` of an integer type by nearest neighbour.
        recursive: sample again at every step what was sampled before, rounded to the type of ``values`` (the papers');
            otherwise ``values`` are sampled once through the composed map.
    """

    def __init__(self, values: Tensor, recursive: bool) -> None:
        self._values, self._recursive = values, recursive

    def step(self, motion: StepMotion) -> None:
        """Goes one step on."""
        if self._recursive:
            self._values = _warp(self._values, map_from_flow(motion.flow))

    def on(self, state: Propagated) -> Tensor:
        """What there is on the frame of ``state``, the shape and type of what set out."""
        return self._values if self._recursive else _warp(self._values, state.sampling_map)


def _warp(values: Tensor, sampling_map: Tensor) -> Tensor:
    return warp_image(values, sampling_map) if values.ndim == 4 else warp_labels(values, sampling_map)
