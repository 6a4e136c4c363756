"""What a method is made of: how labels are carried from one frame to the next, and how one frame's are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seglift.propagation.fuse import Fused, fuse_motion, know_nothing
from seglift.propagation.fuse_model import ModelVote, fuse_with_model
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.nearest import take_nearest
from seglift.propagation.semantic_only import PAPER_THRESHOLD, SemanticLabeller
from seglift.propagation.state import Propagator
from seglift.propagation.traverse import BothSides
from seglift.workflows.label_plan import LabelPlan


@dataclass(frozen=True)
class Method:
    """A method, ready to run on one clip.

    Attributes:
        propagator: how a side is carried one frame on.
        fuse: decides a frame from what both sides say.
        carries: whether anything is carried at all (not for semantic-only).
        fingerprint: of the segmentation model in use, empty for none.
        about_model: what ``run.json`` says of the model.
    """

    propagator: Propagator
    fuse: Callable[[BothSides], Fused]
    carries: bool = True
    fingerprint: str = ""
    about_model: dict[str, Any] = field(default_factory=dict)


def make_method(plan: LabelPlan, work: Path) -> Method:
    """Makes the method that the plan's options ask for; trains or loads its model first.

    Args:
        plan: the checked inputs.
        work: folder of the run, where a trained model is kept.

    Raises:
        UserError: a model cannot be had.
    """
    config, space = plan.config, plan.space
    paper = config.settings == "paper"
    recursive = config.resample == "recursive"
    void = space.unknown_index if config.out_of_view == "void" else None
    nothing = know_nothing(plan.clip.frames.size, space.unknown_index, config.device)
    carry = MotionOnly(recursive, void)
    if config.method == "motion":
        if paper:
            return Method(carry, lambda sides: take_nearest(sides, lambda: nothing, void is not None))
        return Method(carry, lambda sides: fuse_motion(sides, nothing, space.num_indices, recursive, void is not None))
    # Networks and their training are slow to import, and motion needs none.
    from seglift.workflows.auto_model import get_clip_model

    clip_model = get_clip_model(plan, work)
    labeller = SemanticLabeller(clip_model.model, space)

    def with_model(propagator: Propagator, fuse: Callable[[BothSides], Fused], carries: bool = True) -> Method:
        return Method(propagator, fuse, carries, clip_model.fingerprint, clip_model.about)

    if config.method == "semantic":
        threshold = PAPER_THRESHOLD if paper else None
        return with_model(carry, lambda sides: labeller.label_frame(sides.image, threshold), carries=False)
    if paper:
        inpaint = Inpaint(labeller, float(config.tau), recursive)

        def decide(sides: BothSides) -> Fused:
            return take_nearest(sides, lambda: labeller.label_frame(sides.image))

        return with_model(inpaint, decide)
    tau = None if config.tau == "auto" else float(config.tau)
    vote = ModelVote(labeller, tau)
    return with_model(MotionOnly(), lambda sides: fuse_with_model(sides, sides.image, vote))
