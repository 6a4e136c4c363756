"""Warp-refine: what warp-inpaint carried is denoised by a learned network (Ganeshan et al. 2021, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seglift.motion.maps import map_from_flow
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.fuse import Fused
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.motion_only import carried_mask
from seglift.propagation.provenance import REFINER
from seglift.propagation.refiner import Refiner
from seglift.propagation.state import FramePair, Propagated, StepMotion
from seglift.propagation.traverse import BothSides


@dataclass(frozen=True)
class Refine:
    """A :class:`~seglift.propagation.state.Propagator`: the step Psi^R of equation 8.

    Warp-inpaint starts from the labels that the step before refined, and its result is refined, at every step.

    Attributes:
        inpaint: the step Psi^W; recursive, since it has to go on from refined labels.
        refiner: the denoiser Omega.

    Raises:
        ValueError: ``inpaint`` is not recursive.
    """

    inpaint: Inpaint
    refiner: Refiner

    def __post_init__(self) -> None:
        if not self.inpaint.recursive:
            raise ValueError("warp-refine goes on from refined labels, expected Inpaint(recursive=True)")

    def step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        """Carries ``state`` one frame on; see :class:`~seglift.propagation.state.Propagator`."""
        moved = self.inpaint.step(state, frames, motion)
        if state.refined is not None:
            step_map = map_from_flow(motion.flow)
            kept = moved.labels == warp_labels(state.labels, step_map)  # elsewhere the model filled in anew
            moved = replace(moved, refined=carried_mask(state.refined, step_map) & kept)
        return refine_once(self.refiner, moved, carried_image(frames, motion), frames.target)


def refine_once(refiner: Refiner, state: Propagated, warped_image: Tensor, image: Tensor) -> Propagated:
    """Refines what was carried to a frame; its labels may have come there in any way, such as by warp-inpaint alone.

    Args:
        refiner: the denoiser.
        state: on the frame, batch size 1.
        warped_image: the neighbour that the labels came over, warped onto the frame (see :func:`carried_image`), RGB
            uint8 ``[1, 3, H, W]``.
        image: the frame, RGB uint8 ``[1, 3, H, W]``.

    Returns:
        The state with refined labels; ``refined`` is true where they differ from the given ones, and where it was.
    """
    labels, _ = refiner.labels(state.labels, warped_image, image)
    changed = labels != state.labels
    return replace(state, labels=labels, refined=changed if state.refined is None else changed | state.refined)


def refine_fused(refiner: Refiner, sides: BothSides, fused: Fused) -> Fused:
    """Refines, once, what was decided of a frame from all that is known of it.

    Args:
        refiner: the denoiser.
        sides: what was carried to the frame; the nearer keyframe's image, warped, is shown to the network.
        fused: the decision.

    Returns:
        The refined labels; where they differ from the given ones, the network's probability is the confidence and
        ``REFINER`` the provenance. A frame that nothing was carried to is left as it is.
    """
    states = [state for state in (sides.earlier, sides.later) if state is not None]
    if not states:
        return fused
    nearest = min(states, key=lambda state: state.distance)
    warped = warp_image(nearest.origin.image, nearest.sampling_map)
    labels, probabilities = refiner.labels(fused.labels, warped, sides.image)
    changed = labels != fused.labels
    return Fused(
        labels,
        torch.where(changed, probabilities.amax(1), fused.confidence),
        fused.provenance.masked_fill(changed, REFINER),
    )


def carried_image(frames: FramePair, motion: StepMotion) -> Tensor:
    """I^m of a step: its source warped onto its target (as in equation 6), RGB uint8 ``[1, 3, H, W]``."""
    return warp_image(frames.source, map_from_flow(motion.flow))
