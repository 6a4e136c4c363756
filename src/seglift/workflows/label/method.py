"""What a method is made of: how labels are carried from one frame to the next, and how one frame's are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from seglift.labels.space import LabelSpace
from seglift.propagation.fuse import Fused, fuse_motion, know_nothing
from seglift.propagation.fuse_model import ModelVote, fuse_with_model
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.nearest import take_nearest
from seglift.propagation.semantic_only import PAPER_THRESHOLD, SemanticLabeller
from seglift.propagation.state import Propagator
from seglift.propagation.traverse import BothSides
from seglift.workflows.label.plan import LabelPlan


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


class MethodOptions(Protocol):
    """The options that a method depends on, every ``auto`` decided; see ``LabelConfig`` for what they mean."""

    @property
    def method(self) -> str:
        """What makes the labels."""

    @property
    def settings(self) -> str:
        """Product or paper."""

    @property
    def resample(self) -> str:
        """Once or recursive."""

    @property
    def out_of_view(self) -> str:
        """Replicate or void."""

    @property
    def tau(self) -> str:
        """A number as text, or auto."""

    @property
    def device(self) -> str:
        """Where tensors lie."""


def make_method(plan: LabelPlan, work: Path) -> Method:
    """Makes the method that the plan's options ask for; trains or loads its model first.

    Args:
        plan: the checked inputs.
        work: folder of the run, where a trained model is kept.

    Raises:
        UserError: a model cannot be had.
    """
    config, space, size = plan.config, plan.space, plan.clip.frames.size
    if config.method == "motion":
        return motion_method(config, space, size)
    # Networks and their training are slow to import, and motion needs none.
    from seglift.workflows.label.auto_model import get_clip_model

    clip_model = get_clip_model(plan, work)
    threshold = PAPER_THRESHOLD if config.settings == "paper" else None
    method = model_method(config, SemanticLabeller(clip_model.model, space), threshold)
    return replace(method, fingerprint=clip_model.fingerprint, about_model=clip_model.about)


def motion_method(options: MethodOptions, space: LabelSpace, size: tuple[int, int]) -> Method:
    """Labels carried by motion alone.

    Args:
        options: what was asked for.
        space: of the labels.
        size: height and width of the frames.
    """
    recursive = options.resample == "recursive"
    void = space.unknown_index if options.out_of_view == "void" else None
    nothing = know_nothing(size, space.unknown_index, options.device)
    carry = MotionOnly(recursive, void)
    if options.settings == "paper":
        return Method(carry, lambda sides: take_nearest(sides, lambda: nothing, void is not None))
    return Method(carry, lambda sides: fuse_motion(sides, nothing, space.num_indices, recursive, void is not None))


def model_method(options: MethodOptions, labeller: SemanticLabeller, threshold: float | None) -> Method:
    """Labels of a segmentation model, alone or together with carried ones.

    Args:
        options: what was asked for: semantic or inpaint.
        labeller: the model.
        threshold: probability below which semantic-only labels stay away; None labels all.
    """
    if options.method == "semantic":
        return Method(MotionOnly(), lambda sides: labeller.label_frame(sides.image, threshold), carries=False)
    if options.settings == "paper":
        inpaint = Inpaint(labeller, float(options.tau), options.resample == "recursive")
        return Method(inpaint, lambda sides: take_nearest(sides, lambda: labeller.label_frame(sides.image)))
    vote = ModelVote(labeller, None if options.tau == "auto" else float(options.tau))
    return Method(MotionOnly(), lambda sides: fuse_with_model(sides, sides.image, vote))
