"""A clip's keyframes as if they were not labelled: which can be learnt from, and what the product makes of them.

Each is labelled from its neighbours, by the product's own decision and with a segmentation model that has not learnt
it. Distances are those between keyframes, farther than in use. No shorter ones are mixed in: labels that go out some
frames and back end on their own picture, where motion finds its way home too well.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from seglift.base.progress import ProgressBar, say
from seglift.base.threads import worker_count
from seglift.inference.class_features import ClassFeatures
from seglift.inference.semantic_model import SemanticModel
from seglift.labels.reading import read_label
from seglift.labels.space import IGNORE_TRAIN_ID
from seglift.motion.estimator import MotionEstimator
from seglift.motion.warp import warp_image
from seglift.propagation.leave_out import carried_to
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.spill import Spill
from seglift.propagation.state import Origin
from seglift.propagation.traverse import BothSides, Walker
from seglift.training.images.sample import Sample
from seglift.training.refining.left_out import BOTH, EARLIER, LATER, Decision, LeftOut, quantised
from seglift.workflows.label.auto_model import ClipModel, KeyframeSamples, train_on_keyframes
from seglift.workflows.label.frame_cache import FrameCache
from seglift.workflows.label.method import Method, model_method
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.label.scenes import Scenes

LEAST_LABELLED = 0.05
"""Share of a keyframe's pixels that must have a class."""
FOLDS = 2
EVIDENCE, FOLD, WALK = "evidence", "fold", "walk"
"""Folders of the decisions, of the models by number, and of what is carried meanwhile."""


class LeftOutKeyframes:
    """The keyframes of one clip, each decided without its own labels.

    Args:
        plan: the checked inputs.
        scenes: of the clip; nothing is carried from one to another.
        folder: where the models that have not learnt every keyframe, and the decisions, are kept.
        estimator: of motion.
        clip_model: the clip's segmentation model; a given one that is not tuned has learnt no keyframe.

    Attributes:
        keyframes: their indices, rising.
        frame: gives the clip's frames.
    """

    def __init__(
        self, plan: LabelPlan, scenes: Scenes, folder: Path, estimator: MotionEstimator, clip_model: ClipModel
    ) -> None:
        self.plan, self.scenes, self.estimator, self.clip_model = plan, scenes, estimator, clip_model
        self.keyframes = sorted(plan.label_fingerprints)
        self.frame = FrameCache(plan, torch.device(plan.config.device))
        self._folder = folder

    @staticmethod
    def remove_from(folder: Path) -> None:
        """Removes what is not needed once all is learnt."""
        for name in (EVIDENCE, WALK, *(f"{FOLD}{number}" for number in range(FOLDS))):
            shutil.rmtree(folder / name, ignore_errors=True)

    @cached_property
    def usable(self) -> list[int]:
        """Keyframes that are not almost all void, and that labels of a neighbour reach."""
        return [index for index in self._labelled if self._neighbours(index)]

    @cached_property
    def _labelled(self) -> list[int]:
        return [index for index in self.keyframes if self._labelled_share(index) >= LEAST_LABELLED]

    def _labelled_share(self, index: int) -> float:
        space = self.plan.space
        train = space.to_train(read_label(self.plan.keyframe_at[index].label, space))
        return float(np.mean(train != IGNORE_TRAIN_ID))

    def _neighbours(self, index: int) -> dict[str, int]:
        """The keyframes whose labels are carried to keyframe ``index``, by side."""
        config, place = self.plan.config, bisect_left(self.keyframes, index)
        scene = self.scenes.around(index, len(self.plan.clip.frames))
        limit = config.max_distance or len(self.plan.clip.frames)
        found = {}
        if config.direction != "backward" and place > 0:
            found[EARLIER] = self.keyframes[place - 1]
        if config.direction != "forward" and place + 1 < len(self.keyframes):
            found[LATER] = self.keyframes[place + 1]
        return {side: other for side, other in found.items() if other in scene and abs(other - index) <= limit}

    def left_out(self, index: int) -> LeftOut:
        """One of ``usable``."""
        sides = tuple(self._neighbours(index))
        sample: Callable[[], Sample] = partial(KeyframeSamples(self.plan, [index]).__getitem__, 0)
        return LeftOut(index, sample, self._folder / EVIDENCE, (BOTH, *sides) if len(sides) > 1 else sides)

    def model_for(self, index: int) -> SemanticModel:
        """A model that has not learnt this keyframe, its class probabilities as features; trained when first asked.

        Raises:
            UserError: the folder cannot be written.
        """
        return self._unseen[self._labelled.index(index) % FOLDS]

    @cached_property
    def _unseen(self) -> list[SemanticModel]:
        """Keyframe number n of those that have labels has not been learnt by model n mod FOLDS."""
        config = self.plan.config
        if config.model != "auto" and not config.tune:
            return [ClassFeatures(self.clip_model.model)] * FOLDS
        models: list[SemanticModel] = []
        for number in range(FOLDS):
            others = [index for place, index in enumerate(self._labelled) if place % FOLDS != number]
            say(f"training a model on {len(others)} of the keyframes, to see what it makes of the others")
            models.append(ClassFeatures(train_on_keyframes(self.plan, self._folder / f"{FOLD}{number}", others, FOLDS)))
        return models

    def decide(self, frames: Sequence[LeftOut]) -> None:
        """Makes the decisions of the keyframes that are not there yet.

        Raises:
            UserError: a frame or label cannot be read, the estimator gave NaN, or the folder cannot be written.
        """
        missing = [frame for frame in frames if not frame.is_whole()]
        with ProgressBar(
            len(frames), "looking at keyframes", "frames", len(frames) - len(missing), quiet=not missing
        ) as bar:
            for frame in missing:
                for side, decision in self._decisions(frame):
                    frame.write(side, decision)
                bar.advance()

    def _decisions(self, frame: LeftOut) -> Iterator[tuple[str, Decision]]:
        model, spill = self.model_for(frame.index), Spill(self._folder / WALK)
        spill.clear()
        method = model_method(self.plan.config, SemanticLabeller(model, self.plan.space), None, self.estimator)
        walker, neighbours = self._walker(method), self._neighbours(frame.index)
        states = {side: carried_to(walker, other, frame.index, spill) for side, other in neighbours.items()}
        classes = quantised(model.features(self.frame(frame.index).to(torch.float32) / 255.0))
        for side in frame.sides:
            shown = states if side == BOTH else {side: states[side]}
            sides = BothSides(frame.index, shown.get(EARLIER), shown.get(LATER), self.frame)
            nearest = min((s for s in shown.values() if s is not None), key=lambda state: state.distance)
            warped = warp_image(nearest.origin.image, nearest.sampling_map)
            yield side, Decision(method.fuse(sides).labels, warped, classes)

    def _walker(self, method: Method) -> Walker:
        return Walker(
            self.frame,
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
        return Origin(torch.from_numpy(labels)[None].to(self.plan.config.device), self.frame(index))
