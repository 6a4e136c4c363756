"""``--refiner keyframes``: a denoiser that learns from the clip's own keyframes, used only where it helps.

Every keyframe is labelled as if it were not a keyframe, by the product's own decision and with a segmentation model
that has not learnt it. A network learns on two thirds of them to make the human's labels of that, and is judged on the
others, which it has not seen.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglift.base.files import fingerprint_file, read_json, write_json
from seglift.base.progress import ProgressBar, say
from seglift.base.threads import threads_per_call, worker_count
from seglift.inference.class_features import ClassFeatures
from seglift.inference.semantic_model import SemanticModel
from seglift.labels.reading import read_label
from seglift.labels.space import IGNORE_TRAIN_ID
from seglift.metrics.confusion import Confusion
from seglift.motion.estimator import MotionEstimator
from seglift.motion.warp import warp_image
from seglift.propagation.leave_out import carried_to
from seglift.propagation.refiner import Refiner, load_refiner
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.spill import Spill
from seglift.propagation.state import Origin, Propagated
from seglift.propagation.traverse import BothSides, Walker
from seglift.training.images.sample import Sample
from seglift.training.keyframe_refinement import KeyframeRecipe, KeyframeTask
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.refining.left_out import BOTH, EARLIER, LATER, Decision, LeftOut, quantised
from seglift.workflows.label.auto_model import ClipModel, KeyframeSamples, train_on_keyframes
from seglift.workflows.label.frame_cache import FrameCache
from seglift.workflows.label.method import Method, model_method
from seglift.workflows.label.output import REFINER_FOLDER
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.label.scenes import ONE_SCENE, SCENES_NAME, Scenes, find_scenes

NEEDED = 4
"""Keyframes that there must be to learn from, one of them held out."""
MOST = 24
"""Keyframes that are looked at, so that time does not grow with the clip."""
HELD_OUT_EVERY = 3
LEAST_LABELLED = 0.05
"""Share of a keyframe's pixels that must have a class."""
STEPS = 400
FOLDS = 2


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
            learning_rate=4e-3,
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
        work: the run's folder; network and judgement are kept in ``work/refiner`` and hold for later runs, also when
            keyframes were added, changed or removed since (so that only the gaps they touch change).
        estimator: of motion.
        clip_model: the clip's segmentation model; its ``model`` is a ``ClassFeatures`` if nothing is to be computed
            twice.

    Raises:
        UserError: a frame or label cannot be read, or the folder cannot be written.
    """
    folder = work / REFINER_FOLDER
    files = _Files(folder)
    made_of = _made_of(plan, clip_model)
    verdict = read_json(files.verdict) if files.verdict.is_file() else None
    if verdict is None:
        if not files.begun.is_file() or read_json(files.begun) != made_of:
            shutil.rmtree(folder, ignore_errors=True)
            write_json(files.begun, made_of)
        verdict = _Learning(plan, work, estimator, clip_model).verdict()
        write_json(files.verdict, verdict)
    elif read_json(files.begun) != made_of:
        say("the refiner's verdict on earlier keyframes still holds; --overwrite learns anew from today's")
    shutil.rmtree(files.evidence, ignore_errors=True)
    say(verdict["reason"])
    if not verdict["used"]:
        return KeyframeRefiner(None, "", verdict)
    refiner = load_refiner(files.network, plan.space, clip_model.model, plan.config.device)
    return KeyframeRefiner(refiner, verdict["sha256"], verdict)


def _made_of(plan: LabelPlan, clip_model: ClipModel) -> dict[str, Any]:
    frames = plan.clip.frames
    return {
        "frames": frames.fingerprint(),
        "keyframes": {frames.stems[index]: digest for index, digest in sorted(plan.label_fingerprints.items())},
        "model": clip_model.fingerprint,
    }


@dataclass(frozen=True)
class _Files:
    folder: Path

    @property
    def begun(self) -> Path:
        return self.folder / "made_of.json"

    @property
    def verdict(self) -> Path:
        return self.folder / "verdict.json"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    @property
    def network(self) -> Path:
        return self.folder / "network"

    def fold(self, number: int) -> Path:
        return self.folder / f"fold{number}"


class _Learning:
    """One clip's keyframes, from what can be learnt from to whether it helps."""

    def __init__(self, plan: LabelPlan, work: Path, estimator: MotionEstimator, clip_model: ClipModel) -> None:
        self.plan, self.work, self.estimator, self.clip_model = plan, work, estimator, clip_model
        self.files, self.device = _Files(work / REFINER_FOLDER), torch.device(plan.config.device)
        self.frames = FrameCache(plan, self.device)

    def verdict(self) -> dict[str, Any]:
        """What :class:`KeyframeRefiner` has for ``about``."""
        usable = self.usable
        if len(usable) < NEEDED:
            reason = (
                f"the refiner has {len(usable)} of {len(self.keyframes)} keyframes to learn from (with a labelled"
                f" neighbour in reach, not almost all void), {NEEDED} are needed: labels are made without it"
            )
            return {"used": False, "reason": reason}
        chosen = some_of(usable, MOST)
        held_out = chosen[1::HELD_OUT_EVERY]
        known = {index: self._left_out(index) for index in chosen}
        self._decide(list(known.values()))
        learnt_from = [known[index] for index in chosen if index not in held_out]
        network = self._train(learnt_from)
        before, after = self._judge([known[index] for index in held_out])
        stems = self.plan.clip.frames.stems
        return {
            **judged(before, after),
            "sha256": fingerprint_file(network),
            "learnt_from": [stems[frame.index] for frame in learnt_from],
            "held_out": [stems[index] for index in held_out],
            "steps": STEPS,
        }

    @cached_property
    def keyframes(self) -> list[int]:
        return sorted(self.plan.label_fingerprints)

    @cached_property
    def scenes(self) -> Scenes:
        if self.plan.config.scene_cuts != "auto":
            return ONE_SCENE
        return find_scenes(self.plan.clip.frames, self.work / SCENES_NAME)

    @cached_property
    def labelled(self) -> list[int]:
        """Keyframes that are not almost all void."""
        return [index for index in self.keyframes if self._labelled_share(index) >= LEAST_LABELLED]

    @cached_property
    def usable(self) -> list[int]:
        """Those of them that labels of a neighbour reach."""
        return [index for index in self.labelled if self._sides(index)]

    def _labelled_share(self, index: int) -> float:
        space = self.plan.space
        train = space.to_train(read_label(self.plan.keyframe_at[index].label, space))
        return float(np.mean(train != IGNORE_TRAIN_ID))

    def _neighbours(self, index: int) -> dict[str, int]:
        """The keyframes whose labels are carried to keyframe ``index``, by side."""
        config, scene = self.plan.config, self.scenes.around(index, len(self.plan.clip.frames))
        place, limit = bisect_left(self.keyframes, index), config.max_distance or len(self.plan.clip.frames)
        before = self.keyframes[place - 1] if place and config.direction != "backward" else None
        after = self.keyframes[place + 1] if place + 1 < len(self.keyframes) and config.direction != "forward" else None
        found = {EARLIER: before, LATER: after}
        return {
            side: other
            for side, other in found.items()
            if other is not None and other in scene and abs(other - index) <= limit
        }

    def _sides(self, index: int) -> tuple[str, ...]:
        sides = tuple(self._neighbours(index))
        return (BOTH, *sides) if len(sides) > 1 else sides

    def _left_out(self, index: int) -> LeftOut:
        sample: Callable[[], Sample] = partial(KeyframeSamples(self.plan, [index]).__getitem__, 0)
        return LeftOut(index, sample, self.files.evidence, self._sides(index))

    @cached_property
    def _unseen(self) -> list[SemanticModel]:
        """Models; keyframe number n of ``labelled`` has not been seen by number n mod FOLDS."""
        config = self.plan.config
        if config.model != "auto" and not config.tune:
            return [self.clip_model.model] * FOLDS
        models: list[SemanticModel] = []
        for number in range(FOLDS):
            others = [index for place, index in enumerate(self.labelled) if place % FOLDS != number]
            say(f"training a model on {len(others)} of the keyframes, to see what it makes of the others")
            model = train_on_keyframes(self.plan, self.files.fold(number), others, FOLDS)
            models.append(ClassFeatures(model))
        return models

    def _model_for(self, index: int) -> SemanticModel:
        return self._unseen[self.labelled.index(index) % FOLDS]

    def _decide(self, frames: Sequence[LeftOut]) -> None:
        """Makes the decisions of the keyframes that are not there yet."""
        missing = [frame for frame in frames if not frame.is_whole()]
        if not missing:
            return
        methods = [self._method(model) for model in self._unseen]
        with ProgressBar(len(frames), "looking at keyframes", "frames", len(frames) - len(missing)) as bar:
            for frame in missing:
                method = methods[self.labelled.index(frame.index) % FOLDS]
                model = self._model_for(frame.index)
                for side, decision in self._decisions(frame, method, model):
                    frame.write(side, decision)
                bar.advance()

    def _method(self, model: SemanticModel) -> Method:
        return model_method(self.plan.config, SemanticLabeller(model, self.plan.space), None, self.estimator)

    def _decisions(self, frame: LeftOut, method: Method, model: SemanticModel) -> Iterator[tuple[str, Decision]]:
        image, spill = self.frames(frame.index), Spill(self.files.folder / "walk")
        spill.clear()
        walker = self._walker(method)
        states = {side: carried_to(walker, k, frame.index, spill) for side, k in self._neighbours(frame.index).items()}
        classes = quantised(model.features(image.to(torch.float32) / 255.0))
        for side in frame.sides:
            shown = states if side == BOTH else {side: states[side]}
            sides = BothSides(frame.index, shown.get(EARLIER), shown.get(LATER), self.frames)
            nearest: Propagated = min((s for s in shown.values() if s is not None), key=lambda state: state.distance)
            warped = warp_image(nearest.origin.image, nearest.sampling_map)
            yield side, Decision(method.fuse(sides).labels, warped, classes)

    def _walker(self, method: Method) -> Walker:
        return Walker(
            self.frames,
            self._origin,
            self.estimator,
            method.propagator,
            workers=worker_count(),
            max_distance=self.plan.config.max_distance,
            length=len(self.plan.clip.frames),
            cuts=frozenset(self.scenes.cuts),
            repeats=self.scenes.repeated,
        )

    def _origin(self, index: int) -> Origin:
        labels = read_label(self.plan.keyframe_at[index].label, self.plan.space)
        return Origin(torch.from_numpy(labels)[None].to(self.device), self.frames(index))

    def _train(self, frames: Sequence[LeftOut]) -> Path:
        """The file of the network's weights."""
        config = self.plan.config
        recipe = keyframe_recipe(STEPS, config.seed)
        with threads_per_call(worker_count()), torch.inference_mode(False):
            task = KeyframeTask(frames, self.plan.space, recipe, self.clip_model.fingerprint)
            return fit(task, recipe.fit, self.files.network, config.device, title="training the refiner").weights

    def _judge(self, frames: Sequence[LeftOut]) -> tuple[Confusion, Confusion]:
        """Labels of held-out keyframes before and after the network, against the human's."""
        space = self.plan.space
        before, after = Confusion.empty(space.num_train), Confusion.empty(space.num_train)
        for frame in frames:
            refiner = load_refiner(self.files.network, space, self._model_for(frame.index), self.device)
            decision, truth = frame.read(frame.in_use), frame.sample().label
            labels, warped = decision.labels.to(self.device), decision.warped.to(self.device)
            refined, _ = refiner.labels(labels, warped, self.frames(frame.index))
            for confusion, found in ((before, labels), (after, refined)):
                confusion.update(space.to_train(found[0].cpu().numpy()), truth)
        return before, after


def some_of(indices: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly spread."""
    if len(indices) <= most:
        return list(indices)
    return [indices[place] for place in np.linspace(0, len(indices) - 1, most).round().astype(int)]


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
