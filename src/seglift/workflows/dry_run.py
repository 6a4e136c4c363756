"""What ``seglift label --dry-run`` says."""

from __future__ import annotations

import time

import torch

from seglift.inference.semantic_model import load_model
from seglift.motion.estimator import get_estimator
from seglift.propagation.spill import BYTES_PER_PIXEL
from seglift.workflows.frame_cache import FrameCache
from seglift.workflows.label_output import LabelOutput
from seglift.workflows.label_plan import LabelPlan


def describe(plan: LabelPlan) -> str:
    """What ``--dry-run`` says: what would be done, with about how much time and temporary disk space.

    Raises:
        UserError: what a run would refuse before it labels: the output folder, the model, the motion.
    """
    LabelOutput(plan.config.out).check(plan.identity(), plan.config.overwrite)
    if plan.config.model not in ("auto", "none"):
        load_model(plan.config.model, plan.space, plan.config.device)
    frames = plan.clip.frames
    height, width = frames.size
    seconds = _seconds_per_pair(plan)
    pairs = sum(gap.stop - gap.start + (gap.left is not None and gap.right is not None) for gap in plan.gaps)
    longest = max((gap.stop - gap.start for gap in plan.gaps if None not in (gap.left, gap.right)), default=0)
    todo = sum(gap.stop - gap.start for gap in plan.gaps)
    lines = [
        f"{len(frames)} frames of {width}x{height}, {len(plan.clip.keyframes)} keyframes, {todo} frames to label",
        f"space {plan.space.name}, method {plan.config.method}, motion {plan.config.motion}, on {plan.config.device}",
        f"about {pairs * seconds:.0f} s for motion ({seconds:.2f} s for each pair of frames)",
        f"up to {longest * height * width * BYTES_PER_PIXEL / 1e9:.1f} GB of temporary disk space",
    ]
    if plan.config.model == "auto" and plan.config.method != "motion":
        lines.append(f"before that a segmentation model is trained for {plan.config.model_steps} steps")
    return "\n".join(lines)


def _seconds_per_pair(plan: LabelPlan) -> float:
    estimator = get_estimator(plan.config.motion, plan.config.device)
    if len(plan.clip.frames) < 2 or not plan.gaps:
        return 0.0
    frames = FrameCache(plan, torch.device(plan.config.device))
    first, second = frames(0), frames(1)
    estimator(first, second)
    begin = time.monotonic()
    estimator(first, second)
    return 2.0 * (time.monotonic() - begin)
