"""What a method is made of: how labels are carried from one frame to the next, and how one frame's are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seglift.propagation.fuse import Fused, fuse_motion, know_nothing
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.state import GetFrame, Origin, Propagator
from seglift.propagation.traverse import BothSides
from seglift.workflows.label_plan import LabelPlan


@dataclass(frozen=True)
class Method:
    """A method, ready to run on one clip.

    Attributes:
        propagator: how a side is carried one frame on.
        fuse: decides a frame from what both sides say.
        carries: whether anything is carried at all (not for semantic-only).
        observe: whether fusing needs evidence.
        fingerprint: of the segmentation model in use, empty for none.
    """

    propagator: Propagator
    fuse: Callable[[BothSides], Fused]
    carries: bool = True
    observe: bool = True
    fingerprint: str = ""


def make_method(plan: LabelPlan, work: Path, frames: GetFrame, origin: Callable[[int], Origin]) -> Method:
    """Makes the method that the plan's options ask for; trains or loads its model first.

    Args:
        plan: the checked inputs.
        work: folder of the run, where a trained model is kept.
        frames: gives the clip's frames.
        origin: gives the keyframes.

    Raises:
        UserError: a model cannot be had.
    """
    del work, frames, origin
    config, space = plan.config, plan.space
    void = space.unknown_index if config.out_of_view == "void" else None
    carry = MotionOnly(recursive=config.resample == "recursive", void=void)
    nothing = know_nothing(plan.clip.frames.size, space.unknown_index, config.device)
    return Method(carry, lambda sides: fuse_motion(sides, nothing, space.num_indices))
