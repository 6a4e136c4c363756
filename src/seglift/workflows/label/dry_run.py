"""What ``seglift label --dry-run`` says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from seglift.base.counts import counted
from seglift.base.threads import threads_per_call, worker_count
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.named import get_estimator
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.spill import BYTES_PER_PIXEL
from seglift.propagation.state import estimate_pair
from seglift.workflows.label.config import AUTO_STEPS, KEYFRAMES
from seglift.workflows.label.frame_cache import FrameCache
from seglift.workflows.label.method import get_refiner
from seglift.workflows.label.output import REFINER_FOLDER, LabelOutput
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.outputs.estimates import describe_bytes, describe_duration

CHECKPOINT_BYTES_PER_PIXEL = 36
"""What an end of the clip, walked in one direction, keeps on disk: its last two states."""
TRAINING_SECONDS_PER_STEP = 0.15
"""Of ``--model auto`` on two CPU cores; crops have one size, so that of the frames hardly matters."""


def describe(plan: LabelPlan) -> str:
    """What ``--dry-run`` says: what would be done, with about how much time and temporary disk space.

    Raises:
        UserError: what a run would refuse before it labels: the output folder, the model, the motion.
    """
    config, frames = plan.config, plan.clip.frames
    LabelOutput(config.out).check(plan.identity(), config.overwrite)
    estimator = get_estimator(config.motion, config.device)
    height, width = frames.size
    todo = sum(gap.stop - gap.start for gap in plan.gaps)
    lines = [
        f"{counted(len(frames), 'frame')} of {width}x{height}, {counted(len(plan.clip.keyframes), 'keyframe')},"
        f" {counted(todo, 'frame')} to label",
        f"space {plan.space.name}, method {config.method}, motion {config.motion}, on {config.device}",
    ]
    if plan.objects:
        encoding = next(iter(plan.objects.values())).encoding
        count = sum(number > 0 for drawn in plan.objects.values() for _, number in drawn.objects)
        carried = counted(count, "instance drawn in the keyframes is", "instances drawn in the keyframes are")
        lines.append(f"{carried} carried too, in {encoding} encoding")
    with threads_per_call(1), torch.inference_mode():
        if config.method != "motion":
            lines += _about_model(plan, todo)
        if config.method != "semantic":
            lines.append(_about_motion(plan, estimator))
    lines.append(_about_disk(_bytes_needed(plan)))
    lines += [f"warning: {line}" for line in plan.warnings]
    return "\n".join(lines)


def _about_motion(plan: LabelPlan, estimator: MotionEstimator) -> str:
    pairs = sum(gap.stop - gap.start + (None not in (gap.left, gap.right)) for gap in plan.gaps)
    if not pairs:
        return "no motion to estimate"
    frames = FrameCache(plan, torch.device(plan.config.device))
    first, second = frames(0), frames(1)
    around = (first, second) if wants_previous(estimator) else (None, None)
    seconds = _time(lambda: estimate_pair(estimator, first, second, *around))
    on_cpu = plan.config.device == "cpu" or plan.config.motion.startswith("dis")
    workers = worker_count() if on_cpu else 1
    return (
        f"at least {pairs * seconds / workers:.0f} s for motion "
        f"({seconds:.2f} s for each of {counted(pairs, 'pair')} of frames, {workers} at once)"
    )


def _about_model(plan: LabelPlan, todo: int) -> list[str]:
    """Lines on training and inference; a given model is loaded, so that what is wrong with it comes up."""
    # Networks and their training are slow to import, and motion needs none.
    from seglift.inference.checkpoint import WEIGHTS_NAME
    from seglift.workflows.label.auto_model import FOLDER, get_clip_model, untrained_model

    config, work = plan.config, LabelOutput(plan.config.out).work
    lines = []
    if (config.model == "auto" or config.tune) and (config.overwrite or not (work / FOLDER / WEIGHTS_NAME).is_file()):
        steps = config.model_steps or AUTO_STEPS
        minutes = steps * TRAINING_SECONDS_PER_STEP / 60.0
        if config.model_minutes is not None:
            minutes = min(minutes, config.model_minutes)
        lines.append(
            f"first a segmentation model is {'tuned' if config.tune else 'trained'} for {counted(steps, 'step')}, "
            f"about {describe_duration(60 * minutes)} on 2 CPU cores"
        )
        model = untrained_model(plan)
    else:
        model = get_clip_model(plan, work).model
    if config.refiner == KEYFRAMES:
        lines.append(_about_refiner(plan, work))
    labeller, image = SemanticLabeller(model, plan.space), FrameCache(plan, torch.device(config.device))(0)
    if config.refiner != KEYFRAMES:
        get_refiner(config, labeller)  # says what is wrong with it
    seconds = _time(lambda: labeller.label_frame(image))
    return [*lines, f"about {todo * seconds:.0f} s for the model ({seconds:.2f} s for each frame)"]


def _about_refiner(plan: LabelPlan, work: Path) -> str:
    from seglift.workflows.label.keyframe_refiner import NEEDED, STEPS, VERDICT, too_few
    from seglift.workflows.label.left_out_keyframes import LEAST_LABELLED

    if (work / REFINER_FOLDER / VERDICT).is_file() and not plan.config.overwrite:
        return "what a refiner learned from the keyframes is there already"
    drawn = len(plan.label_fingerprints)
    labelled = sum(1.0 - plan.void_shares.get(index, 0.0) >= LEAST_LABELLED for index in plan.label_fingerprints)
    if labelled < NEEDED:
        return too_few(labelled, drawn)
    halves = plan.config.model == "auto" or plan.config.tune
    models = "two more segmentation models on half of them each, then " if halves else ""
    return f"a refiner is trained on the keyframes ({models}{STEPS} steps), and used if it helps on held-out ones"


def _bytes_needed(plan: LabelPlan) -> int:
    """Gaps are worked on one after the other, so the largest need counts."""
    if plan.config.method == "semantic" or not plan.gaps:
        return 0
    pixels = plan.clip.frames.size[0] * plan.clip.frames.size[1]
    both = plan.config.direction == "both"
    inner = [gap.stop - gap.start for gap in plan.gaps if both and None not in (gap.left, gap.right)]
    return pixels * (max(inner, default=0) * BYTES_PER_PIXEL + CHECKPOINT_BYTES_PER_PIXEL)


def _about_disk(count: int) -> str:
    return f"up to {describe_bytes(count)} of temporary disk space" if count else "no temporary disk space"


def _time(work: Callable[[], object]) -> float:
    """Seconds of a second call; the first also warms up."""
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    begin = time.monotonic()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - begin
