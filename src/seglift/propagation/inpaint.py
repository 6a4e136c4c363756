"""Warp-inpaint: what motion cannot carry is filled in by a segmentation model (Ganeshan et al. 2021, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from seglift.motion.consistency import photometric_error
from seglift.motion.maps import map_from_flow, outside
from seglift.motion.warp import warp_labels
from seglift.propagation.motion_only import MotionOnly, carried_mask, carry_trace
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import FramePair, Propagated, StepMotion


@dataclass(frozen=True)
class Inpaint:
    """A :class:`~seglift.propagation.state.Propagator`: the step Psi^W of equations 3 to 7.

    A label is kept where the source's image, warped, looks like the target: ``|I_k - I^m|_2 < tau`` (equation 6), and
    comes from the model elsewhere (equation 7). What is out of view always comes from the model.

    Attributes:
        labeller: the segmentation model g.
        tau: threshold on the RGB distance, 0..255 units.
        recursive: carry the inpainted labels on (the paper's); otherwise the keyframe's labels are sampled once through
            the composed map, and whatever was filled on the way is filled anew from the model on this frame.
    """

    labeller: SemanticLabeller
    tau: float
    recursive: bool = True

    def step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        """Carries ``state`` one frame on; see :class:`~seglift.propagation.state.Propagator`."""
        step_map = map_from_flow(motion.flow)
        source, target = frames.source, frames.target
        unreliable = photometric_error(target, source, step_map) >= self.tau
        unreliable |= outside(step_map, source.shape[2], source.shape[3])
        filled = carried_mask(state.filled, step_map) | unreliable
        said = self.labeller.labels(target)
        if self.recursive:
            trace = carry_trace(state.trace, step_map, motion.error)
            labels = torch.where(unreliable, said, warp_labels(state.labels, step_map))
            return Propagated(labels, trace, filled, state.origin, state.distance + 1)
        moved = MotionOnly().step(state, frames, motion)
        filled |= moved.out_of_view
        return replace(moved, labels=torch.where(filled, said, moved.labels), filled=filled)
