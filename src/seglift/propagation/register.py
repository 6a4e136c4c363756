"""Taking the drift out of composed motion: what was carried is registered anew to its keyframe at every step.

Errors of composed sampling maps add up from step to step. The keyframe's image, warped to the frame by the composed
map, shows how far they have come: the motion between that warped image and the frame itself is the drift, and one more
flow estimate measures it, however long the way was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seglift.motion.estimator import MotionEstimator
from seglift.motion.maps import map_from_flow, outside, sample_bilinear
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.evidence import photometric_difference
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.state import FramePair, Propagated, StepMotion, estimate_flow

LARGEST_DRIFT = 0.008
"""Share of the longer side of a frame; what is called drift beyond it is another thing that looks alike."""


@dataclass(frozen=True)
class Registered:
    """A :class:`~seglift.propagation.state.Propagator`: motion-only on composed maps, without the drift.

    Attributes:
        estimator: motion between the warped keyframe and the frame.
    """

    estimator: MotionEstimator

    def step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        """Carries ``state`` one frame on; see :class:`~seglift.propagation.state.Propagator`."""
        moved = MotionOnly().step(state, frames, motion)
        if not bool(motion.flow.any()):
            return moved  # a repeated frame keeps the labels of its twin
        return register(moved, frames.target, self.estimator)


def register(state: Propagated, image: Tensor, estimator: MotionEstimator) -> Propagated:
    """Corrects where a state's labels come from, wherever the keyframe then looks more like the frame.

    With the map m from the frame into the keyframe and the flow d from the frame into the warped keyframe, the map
    becomes ``m(x + d(x))``. A pixel keeps its old place where the 5 x 5 pixels around it do not look better by the new
    one, or where d is longer than :data:`LARGEST_DRIFT` of the frame's longer side or leaves the frame.

    Args:
        state: on the frame, its labels read through the composed map (not warped recursively).
        image: the frame, RGB uint8 ``[B, 3, H, W]``.
        estimator: the motion estimator.

    Returns:
        The state with another trace and the labels that belong to it.

    Raises:
        UserError: the estimator gave NaN or infinite flow.
    """
    warped = warp_image(state.origin.image, state.sampling_map)
    drift = estimate_flow(estimator, warped, image)
    step_map = map_from_flow(drift)
    trace = sample_bilinear(state.trace, step_map)
    before = photometric_difference(warped, image)
    after = photometric_difference(warp_image(state.origin.image, trace[:, :2]), image)
    height, width = image.shape[2:]
    better = (after < before) & (torch.hypot(drift[:, 0], drift[:, 1]) < LARGEST_DRIFT * max(height, width))
    better &= ~outside(step_map, height, width)
    trace = torch.where(better[:, None], trace, state.trace)
    return replace(state, trace=trace, labels=warp_labels(state.origin.labels, trace[:, :2]))
