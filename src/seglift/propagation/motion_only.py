"""Motion-only propagation: labels ride on estimated motion (Zhu et al. 2019, section 3.1; the papers' baseline)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.motion.maps import map_from_flow, outside, sample_bilinear
from seglift.motion.warp import warp_labels
from seglift.propagation.state import FramePair, Propagated, StepMotion


@dataclass(frozen=True)
class MotionOnly:
    """A :class:`~seglift.propagation.state.Propagator` that only moves labels.

    Attributes:
        recursive: warp the labels again at every step (the papers'); otherwise compose the maps and sample the
            keyframe's labels once.
        void: space index written where the keyframe did not look; None replicates its border.
    """

    recursive: bool = False
    void: int | None = None

    def step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        """Carries ``state`` one frame on; see :class:`~seglift.propagation.state.Propagator`."""
        del frames
        step_map = map_from_flow(motion.flow)
        trace = carry_trace(state.trace, step_map, motion.error)
        labels = (
            warp_labels(state.labels, step_map) if self.recursive else warp_labels(state.origin.labels, trace[:, :2])
        )
        if self.void is not None:
            labels = labels.masked_fill(trace[:, 3] >= 0.5, self.void)
        return Propagated(labels, trace, state.filled, state.origin, state.distance + 1)


def carry_trace(trace: Tensor, step_map: Tensor, error: Tensor) -> Tensor:
    """Carries position, worst error and visibility one step on.

    Args:
        trace: float32 ``[B, 4, H, W]`` of :class:`~seglift.propagation.state.Propagated`, on the source.
        step_map: float32 ``[B, 2, H, W]``, from the target into the source.
        error: forward-backward error of this step, float32 ``[B, H, W]`` in pixels.

    Returns:
        float32 ``[B, 4, H, W]`` on the target: the map composed, the worse error kept, the out-of-view share joined.
    """
    carried = sample_bilinear(trace, step_map)
    torch.maximum(carried[:, 2], error, out=carried[:, 2])
    carried[:, 3].masked_fill_(outside(step_map, trace.shape[2], trace.shape[3]), 1.0)
    return carried


def carried_mask(mask: Tensor, step_map: Tensor) -> Tensor:
    """A bool mask ``[B, H, W]`` on the source, sampled on the target by nearest neighbour."""
    return warp_labels(mask.to(torch.uint8), step_map).bool()
