"""``--refiner keyframes``: a denoiser that learns from the clip's own keyframes, used only where it helps.

It learns on two thirds of the keyframes to make the human's labels of what was decided without them (see
``left_out_keyframes``), and is judged on the others, which it has not seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglift.base.files import fingerprint_file, read_json, write_json
from seglift.base.progress import say
from seglift.base.threads import threads_per_call, worker_count
from seglift.base.weights import BEST_NAME
from seglift.metrics.confusion import Confusion
from seglift.motion.estimator import MotionEstimator
from seglift.propagation.refiner import Refiner, load_refiner
from seglift.training.keyframe_refinement import KeyframeRecipe, KeyframeTask
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.refining.left_out import LeftOut
from seglift.workflows.label.auto_model import ClipModel
from seglift.workflows.label.left_out_keyframes import LeftOutKeyframes
from seglift.workflows.label.output import REFINER_FOLDER
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.label.scenes import ONE_SCENE, SCENES_NAME, find_scenes

NEEDED = 4
"""Keyframes that there must be to learn from, one of them held out."""
MOST = 24
"""Keyframes that are looked at, so that time does not grow with the clip."""
HELD_OUT_EVERY = 3
STEPS = 400
MADE_OF, VERDICT, NETWORK = "made_of.json", "verdict.json", "network"
"""Names in the refiner's folder: what it learns from, what came of it, and its training."""


@dataclass(frozen=True)
class KeyframeRefiner:
    """What came of learning from the keyframes.

    Attributes:
        refiner: the network; None where it is not used.
        fingerprint: of its weights; empty where it is not used.
        about: what ``run.json`` says of it: ``used``, ``reason`` (what the user was told), ``learnt_from`` and
            ``held_out`` (stems), and scores of the held-out keyframes' labels ``before`` and ``after`` it.
    """

    refiner: Refiner | None
    fingerprint: str
    about: dict[str, Any]


def keyframe_recipe(steps: int, seed: int) -> KeyframeRecipe:
    """How the network is trained; see ``benchmarks/RESULTS.md`` for what comes of it."""
    return KeyframeRecipe(
        FitConfig(
            steps=steps,
            learning_rate=1e-3,
            weight_decay=0.01,
            schedule="warmup_cosine",
            clip_norm=5.0,
            average=0.98,
            seed=seed,
            tensorboard=False,
        )
    )


def get_keyframe_refiner(
    plan: LabelPlan, work: Path, estimator: MotionEstimator, clip_model: ClipModel
) -> KeyframeRefiner:
    """Learns from the keyframes and judges what was learnt, or takes over what an earlier run made of them.

    Args:
        plan: the checked inputs.
        work: the run's folder; network and verdict are kept in ``work/refiner`` and hold for later runs, also when
            keyframes were added, changed or removed since (so that only the gaps they touch change). Where there were
            too few to learn from, nothing is kept.
        estimator: of motion.
        clip_model: the clip's segmentation model; with a ``ClassFeatures`` nothing is computed twice.

    Raises:
        UserError: a frame or label cannot be read, or the folder cannot be written.
    """
    folder, made_of = work / REFINER_FOLDER, _made_of(plan, clip_model)
    begun = read_json(folder / MADE_OF) if (folder / MADE_OF).is_file() else None
    if not (folder / VERDICT).is_file():
        if begun != made_of:  # nothing, or the start of learning from other keyframes
            shutil.rmtree(folder, ignore_errors=True)
            write_json(folder / MADE_OF, made_of)
        looks = plan.config.scene_cuts == "auto"
        scenes = find_scenes(plan.clip.frames, work / SCENES_NAME) if looks else ONE_SCENE
        keyframes = LeftOutKeyframes(plan, scenes, folder, estimator, clip_model)
        if len(keyframes.usable) < NEEDED:  # no verdict to keep: more may come
            reason = too_few(len(keyframes.usable), len(keyframes.keyframes))
            say(reason)
            return KeyframeRefiner(None, "", {"used": False, "reason": reason})
        write_json(folder / VERDICT, _learn(plan, keyframes, folder, clip_model))
    elif begun != made_of:
        say("the refiner's verdict on earlier keyframes still holds; --overwrite learns anew from today's")
    LeftOutKeyframes.remove_from(folder)
    verdict = read_json(folder / VERDICT)
    say(verdict["reason"])
    if not verdict["used"]:
        return KeyframeRefiner(None, "", verdict)
    refiner = load_refiner(folder / NETWORK, plan.space, clip_model.model, plan.config.device)
    return KeyframeRefiner(refiner, verdict["sha256"], verdict)


def _made_of(plan: LabelPlan, clip_model: ClipModel) -> dict[str, Any]:
    frames = plan.clip.frames
    return {
        "frames": frames.fingerprint(),
        "keyframes": {frames.stems[index]: digest for index, digest in sorted(plan.label_fingerprints.items())},
        "model": clip_model.fingerprint,
    }


def _learn(plan: LabelPlan, keyframes: LeftOutKeyframes, folder: Path, clip_model: ClipModel) -> dict[str, Any]:
    """What :class:`KeyframeRefiner` has for ``about``."""
    frames = [keyframes.left_out(index) for index in some_of(keyframes.usable, MOST)]
    held_out = frames[1::HELD_OUT_EVERY]
    learnt_from = [frame for frame in frames if frame not in held_out]
    keyframes.decide(frames)
    network = folder / NETWORK
    _train(plan, learnt_from, network, clip_model)
    verdict = judged(*_before_and_after(keyframes, held_out, network))
    stems = plan.clip.frames.stems
    return verdict | {
        "sha256": fingerprint_file(network / BEST_NAME),
        "learnt_from": [stems[frame.index] for frame in learnt_from],
        "held_out": [stems[frame.index] for frame in held_out],
        "steps": STEPS,
    }


def _train(plan: LabelPlan, frames: Sequence[LeftOut], network: Path, clip_model: ClipModel) -> None:
    recipe = keyframe_recipe(STEPS, plan.config.seed)
    with threads_per_call(worker_count()), torch.inference_mode(False):
        task = KeyframeTask(frames, plan.space, recipe, clip_model.fingerprint)
        fit(task, recipe.fit, network, plan.config.device, title="training the refiner")


def _before_and_after(
    keyframes: LeftOutKeyframes, frames: Sequence[LeftOut], network: Path
) -> tuple[Confusion, Confusion]:
    """Labels of held-out keyframes without the network and refined by it, against the human's."""
    space, device = keyframes.plan.space, keyframes.plan.config.device
    before, after = Confusion.empty(space.num_train), Confusion.empty(space.num_train)
    for frame in frames:
        refiner = load_refiner(network, space, keyframes.model_for(frame.index), device)
        decision, truth = frame.read(frame.in_use), frame.sample().label
        labels = decision.labels.to(device)
        refined, _ = refiner.labels(labels, decision.warped.to(device), keyframes.frame(frame.index))
        for confusion, found in ((before, labels), (after, refined)):
            confusion.update(space.to_train(found[0].cpu().numpy()), truth)
    return before, after


def some_of(indices: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly spread."""
    if len(indices) <= most:
        return list(indices)
    return [indices[place] for place in np.linspace(0, len(indices) - 1, most).round().astype(int)]


def too_few(usable: int, keyframes: int) -> str:
    """What is said where there is too little to learn from.

    Args:
        usable: keyframes that can be learnt from.
        keyframes: all keyframes.
    """
    return (
        f"the refiner has {usable} of {keyframes} keyframes to learn from (with a labelled neighbour in reach, not"
        f" almost all void), {NEEDED} are needed: labels are made without it"
    )


def judged(before: Confusion, after: Confusion) -> dict[str, Any]:
    """Whether a network may be used: only where mIoU of the labels of held-out keyframes has risen.

    Args:
        before: their labels without the network.
        after: refined by it.
    """
    used = after.miou() > before.miou()
    numbers = ", ".join(
        f"{name} {100 * was:.2f} -> {100 * now:.2f}"
        for name, was, now in (
            ("mIoU", before.miou(), after.miou()),
            ("pixel accuracy", before.pixel_accuracy(), after.pixel_accuracy()),
        )
    )
    consequence = "it is used" if used else "it is not used"
    scores = [{"miou": c.miou(), "pixel_accuracy": c.pixel_accuracy()} for c in (before, after)]
    return {
        "used": used,
        "reason": f"the refiner on held-out keyframes: {numbers}; {consequence}",
        "before": scores[0],
        "after": scores[1],
    }
