"""What a method is: how labels are carried from one frame to the next, and how one frame's are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seglift.labels.space import LabelSpace
from seglift.motion.estimator import MotionEstimator
from seglift.propagation.fuse import Fused, fuse_motion, know_nothing
from seglift.propagation.fuse_model import ModelVote, fuse_with_model
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.nearest import take_nearest
from seglift.propagation.register import Registered
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import Propagator
from seglift.propagation.traverse import BothSides
from seglift.workflows.label.config import NO_CHECKPOINT

if TYPE_CHECKING:  # networks are slow to import, and motion needs none
    from seglift.propagation.refiner import Refiner


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
    def refiner(self) -> str:
        """Folder or file of a trained refiner, or auto or none."""

    @property
    def device(self) -> str:
        """Where tensors lie."""


def get_refiner(options: MethodOptions, labeller: SemanticLabeller) -> Refiner | None:
    """The trained refiner that the options name; None where they name none or the method has no use for it.

    Raises:
        UserError: it cannot be loaded, or belongs to other classes or to another model.
    """
    if options.method != "refine" or options.refiner in NO_CHECKPOINT:
        return None
    from seglift.propagation.refiner import load_refiner

    return load_refiner(Path(options.refiner), labeller.space, labeller.model, options.device)


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
    unknown = space.unknown_index
    return Method(
        carry, lambda sides: fuse_motion(sides, nothing, space.num_indices, recursive, void is not None, unknown)
    )


def model_method(
    options: MethodOptions,
    labeller: SemanticLabeller,
    threshold: float | None,
    estimator: MotionEstimator | None = None,
    refiner: Refiner | None = None,
) -> Method:
    """Labels of a segmentation model, alone or together with carried ones.

    Args:
        options: what was asked for: semantic, inpaint or refine.
        labeller: the model.
        threshold: probability below which semantic-only labels stay away; None labels all.
        estimator: of motion, for refine.
        refiner: a trained one, for refine; the paper's settings need it.

    Raises:
        ValueError: refine without what it needs.
    """
    if options.method == "semantic":
        return Method(MotionOnly(), lambda sides: labeller.label_frame(sides.image, threshold), carries=False)
    if options.settings == "paper":
        return _paper_method(options, labeller, refiner)
    tau = None if options.tau == "auto" else float(options.tau)
    if options.method == "inpaint":
        vote = ModelVote(labeller, tau)
        return Method(MotionOnly(), lambda sides: fuse_with_model(sides, sides.image, vote))
    if estimator is None:
        raise ValueError("refine registers what was carried, so it needs the motion estimator")
    carry, vote = Registered(estimator), ModelVote(labeller, tau, along_edges=True)
    if refiner is None:
        return Method(carry, lambda sides: fuse_with_model(sides, sides.image, vote))
    from seglift.propagation.refine import refine_fused

    return Method(carry, lambda sides: refine_fused(refiner, sides, fuse_with_model(sides, sides.image, vote)))


def _paper_method(options: MethodOptions, labeller: SemanticLabeller, refiner: Refiner | None) -> Method:
    inpaint = Inpaint(labeller, float(options.tau), options.resample == "recursive")
    carry: Propagator = inpaint
    if options.method == "refine":
        if refiner is None:
            raise ValueError("the paper's warp-refine needs a trained refiner")
        from seglift.propagation.refine import Refine

        carry = Refine(inpaint, refiner)
    return Method(carry, lambda sides: take_nearest(sides, lambda: labeller.label_frame(sides.image)))
