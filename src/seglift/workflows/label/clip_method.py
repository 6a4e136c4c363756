"""The method of one clip: what the options ask for, with the clip's own model and refiner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seglift.base.files import fingerprint_values
from seglift.motion.estimator import MotionEstimator
from seglift.propagation.semantic_only import PAPER_THRESHOLD, SemanticLabeller
from seglift.workflows.input_identity import fingerprint_model
from seglift.workflows.label.config import KEYFRAMES
from seglift.workflows.label.method import Method, get_refiner, model_method, motion_method
from seglift.workflows.label.plan import LabelPlan

if TYPE_CHECKING:  # networks are slow to import, and motion needs none
    from seglift.workflows.label.auto_model import ClipModel


def check_refiner(plan: LabelPlan) -> None:
    """Refuses a trained refiner that will not fit the model that is still to be trained, before that takes its time.

    Raises:
        UserError: it cannot be loaded, or belongs to other classes or to another model.
    """
    config = plan.config
    if config.method == "refine" and config.refiner != KEYFRAMES and (config.model == "auto" or config.tune):
        from seglift.workflows.label.auto_model import untrained_model

        get_refiner(config, SemanticLabeller(untrained_model(plan), plan.space))


def make_method(plan: LabelPlan, work: Path, estimator: MotionEstimator) -> Method:
    """Makes the method that the plan's options ask for; trains or loads its model first.

    Args:
        plan: the checked inputs.
        work: folder of the run, where a trained model is kept.
        estimator: of motion.

    Raises:
        UserError: a model cannot be had.
    """
    config, space, size = plan.config, plan.space, plan.clip.frames.size
    if config.method == "motion":
        return motion_method(config, space, size)
    from seglift.workflows.label.auto_model import get_clip_model

    clip_model = get_clip_model(plan, work)
    if config.method == "refine" and config.refiner == KEYFRAMES:
        return _refined_by_keyframes(plan, work, estimator, clip_model)
    threshold = PAPER_THRESHOLD if config.settings == "paper" else None
    labeller = SemanticLabeller(clip_model.model, space)
    refiner = get_refiner(config, labeller)
    method = model_method(config, labeller, threshold, estimator, refiner)
    if refiner is None:
        return replace(method, fingerprint=clip_model.fingerprint, about_model=clip_model.about)
    digest = fingerprint_model(config.refiner, "--refiner")
    about = clip_model.about | {"refiner": {"spec": config.refiner, "sha256": digest, **refiner.about}}
    return replace(method, fingerprint=fingerprint_values(clip_model.fingerprint, digest), about_model=about)


def _refined_by_keyframes(plan: LabelPlan, work: Path, estimator: MotionEstimator, clip_model: ClipModel) -> Method:
    from seglift.inference.class_features import ClassFeatures
    from seglift.workflows.label.keyframe_refiner import get_keyframe_refiner

    clip_model = replace(clip_model, model=ClassFeatures(clip_model.model))
    learnt = get_keyframe_refiner(plan, work, estimator, clip_model)
    labeller = SemanticLabeller(clip_model.model, plan.space)
    method = model_method(plan.config, labeller, None, estimator, learnt.refiner)
    fingerprint = clip_model.fingerprint
    if learnt.refiner is not None:
        fingerprint = fingerprint_values(fingerprint, learnt.fingerprint)
    about = clip_model.about | {"refiner": {"spec": KEYFRAMES, **learnt.about}}
    return replace(method, fingerprint=fingerprint, about_model=about)
