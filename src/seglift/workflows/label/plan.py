"""Everything ``seglift label`` checks and decides before it works: inputs, keyframes, gaps and what identifies them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file, fingerprint_values
from seglift.labels.reading import read_label
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.labels.space_file import get_space
from seglift.motion.named import looks_back, weights_path
from seglift.propagation.traverse import Gap, find_gaps
from seglift.video.clip import Clip, Keyframe, check_label_size, open_clip, pair_ground_truth
from seglift.workflows.input_identity import REFINER_WORDS, model_identity, model_path, motion_identity, space_identity
from seglift.workflows.label.config import NO_INSTANCES, LabelConfig
from seglift.workflows.label.keyframe_evidence import KeyframePair, agreement_sentence, void_warnings
from seglift.workflows.label.keyframe_objects import KeyframeObjects, check_together, read_keyframe_objects
from seglift.workflows.label.scenes import ONE_SCENE, Scenes

DECISIONS = 2
"""Raised whenever the same inputs give other labels: frames that were made under another number are made anew."""


@dataclass(frozen=True)
class LabelPlan:
    """Checked inputs of one run.

    Attributes:
        config: resolved options.
        space: the label space; of raw ids that share a train id, those that the keyframes use are preferred.
        clip: frames and keyframes.
        label_fingerprints: SHA-256 of each keyframe's label file by frame index.
        scenes: where nothing is carried on, and where nothing moves; a plan as it is made knows of one scene.
        void_shares: share (0..1) of each keyframe's pixels that have no class, by frame index.
        pairs: what neighbouring keyframes say of each other, in order; a plan as it is made knows of none.
        objects: those drawn in each keyframe by frame index; of none or of all.
    """

    config: LabelConfig
    space: LabelSpace
    clip: Clip
    label_fingerprints: dict[int, str]
    scenes: Scenes = ONE_SCENE
    void_shares: dict[int, float] = field(default_factory=dict)
    pairs: tuple[KeyframePair, ...] = ()
    objects: dict[int, KeyframeObjects] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What the user should look at in the keyframes, a line each."""
        stems = self.clip.frames.stems
        lines = void_warnings([(stems[index], share) for index, share in sorted(self.void_shares.items())])
        unused = self.config.method == "semantic" and self.config.instances == "auto"
        if unused and any(keyframe.instances is not None for keyframe in self.clip.keyframes):
            lines.append("--method semantic carries nothing, so the keyframes' instances are left out")
        contradictions = (pair.warning(stems, self.space) for pair in self.pairs)
        return lines + [line for line in contradictions if line is not None]

    @property
    def remark(self) -> str:
        """What the reader of the report is told of clip and keyframes, empty where there is nothing to tell."""
        told = (self.scenes.sentence(), agreement_sentence(self.pairs), *(f"Warning: {line}" for line in self.warnings))
        return ". ".join(sentence for sentence in told if sentence)

    @property
    def keyframe_at(self) -> dict[int, Keyframe]:
        """Keyframes by frame index."""
        return {keyframe.index: keyframe for keyframe in self.clip.keyframes}

    @cached_property
    def gaps(self) -> list[Gap]:
        """Unlabelled stretches in order."""
        return find_gaps(sorted(self.label_fingerprints), len(self.clip.frames), self.scenes.cuts)

    @cached_property
    def weights(self) -> tuple[str, str, str]:
        """What identifies model, motion and refiner.

        Raises:
            UserError: weights that cannot be read.
        """
        config = self.config
        return (
            model_identity(config.model),
            motion_identity(config.motion),
            model_identity(config.refiner, "--refiner"),
        )

    def identity(self) -> dict[str, Any]:
        """What a run must share with an earlier one on its OUT; keyframes and frame contents are not part of it."""
        frames = self.clip.frames
        space, classes = space_identity(self.config.space, self.space)
        model, motion, refiner = self.weights
        return {
            **self.config.label_options(),
            "space": space,
            "classes": classes,
            "model": model,
            "motion": motion,
            "refiner": refiner,
            "stems": fingerprint_values(list(frames.stems)),
            "size": list(frames.size),
        }

    def frame_keys(self, gap: Gap, model: str) -> dict[int, str]:
        """What each frame of ``gap`` depends on, as a fingerprint: a result with the same key need not be made again.

        Args:
            gap: one of ``gaps``.
            model: fingerprint of the segmentation model, empty for none.
        """
        beyond = int(looks_back(self.config.motion))
        sides = ["" if side is None else self._drawn(side) for side in (gap.left, gap.right)]
        key = fingerprint_values(DECISIONS, sides, gap.left, gap.right, gap.start, gap.stop, model)
        if gap.left is None and gap.right is None:
            return {index: fingerprint_values(key, self._frame_key(index)) for index in range(gap.start, gap.stop)}
        scene = self.scenes.around(gap.start, len(self.clip.frames))
        first = max((gap.start if gap.left is None else gap.left) - beyond, scene.start)
        last = min((gap.stop - 1 if gap.right is None else gap.right) + beyond, scene.stop - 1)
        if gap.left is not None and gap.right is not None:
            whole = fingerprint_values(key, [self._frame_key(index) for index in range(first, last + 1)])
            return dict.fromkeys(range(gap.start, gap.stop), whole)
        # At an open end a frame depends on those between the keyframe and itself, and one more at each end where motion
        # looks further back.
        order = range(first, last + 1) if gap.left is not None else range(last, first - 1, -1)
        keys: dict[int, str] = {}
        for index in order:
            key = fingerprint_values(key, self._frame_key(index))
            keys[index - beyond * order.step] = key
        return {index: keys.get(index, key) for index in range(gap.start, gap.stop)}

    def _frame_key(self, index: int) -> str:
        frame = self.clip.frames.frame_fingerprint(index)
        return fingerprint_values(frame, "repeats") if index in self.scenes.repeated else frame

    def keyframe_key(self, index: int) -> str:
        """What the output of a keyframe depends on."""
        return fingerprint_values("keyframe", self._drawn(index))

    def _drawn(self, index: int) -> str:
        """What a human drew of a keyframe."""
        label, objects = self.label_fingerprints[index], self.objects.get(index)
        return label if objects is None else fingerprint_values(label, objects.fingerprint)


def make_plan(config: LabelConfig) -> LabelPlan:
    """Opens and checks everything that can be checked without work.

    Args:
        config: options as given.

    Raises:
        UserError: anything is wrong with options, frames, labels, the space or the model to tune; nothing has been
            written.
    """
    resolved = config.resolved()
    space = get_space(config.space)
    clip = open_clip(config.frames, config.labels, config.cut, _find_instances(resolved))
    _check_folders(resolved)
    if resolved.ground_truth is not None:
        pair_ground_truth(clip, resolved.ground_truth)
    present: set[int] = set()
    fingerprints, void_shares, objects = {}, {}, {}
    with_objects = resolved.instances != NO_INSTANCES and resolved.method != "semantic"
    for keyframe in clip.keyframes:
        labels = read_label(keyframe.label, space)
        check_label_size(keyframe.label, labels.shape, clip.frames.size)
        present.update(space.ids[i] for i in np.flatnonzero(np.bincount(labels.ravel())))
        fingerprints[keyframe.index] = fingerprint_file(keyframe.label)
        void_shares[keyframe.index] = float(np.mean(space.to_train(labels) == IGNORE_TRAIN_ID))
        drawn = read_keyframe_objects(keyframe, labels, space) if with_objects else None
        if drawn is not None:
            objects[keyframe.index] = drawn
    _check_objects(resolved, clip, objects)
    plan = LabelPlan(resolved, space.preferring(present), clip, fingerprints, void_shares=void_shares, objects=objects)
    if resolved.tune:
        _check_tune(plan)
    return plan


def _find_instances(config: LabelConfig) -> Path | None:
    folder = config.instance_folder
    if folder is not None and not folder.is_dir():
        raise UserError(
            f"--instances {folder} {'is a file' if folder.exists() else 'does not exist'}, expected a folder of PNGs "
            "named after the keyframes, auto or none"
        )
    return folder


def _check_objects(config: LabelConfig, clip: Clip, objects: dict[int, KeyframeObjects]) -> None:
    if config.instance_folder is not None and not objects:
        raise UserError(
            f"--instances {config.instances} has no PNG of a keyframe, expected one for each, such as "
            f"{clip.keyframes[0].label.name}; give the folder that holds them"
        )
    check_together(objects, clip.keyframes)


def _check_tune(plan: LabelPlan) -> None:
    # Networks and their training are slow to import, and motion needs none.
    from seglift.workflows.label.tune import read_tune_start

    model_identity(plan.config.model)  # says best what is wrong with a path
    read_tune_start(plan.config.model, plan.space)


def _check_folders(config: LabelConfig) -> None:
    out = config.out.resolve()
    inputs = (config.frames, config.labels, config.instance_folder, config.ground_truth)
    refiner = None if config.refiner in REFINER_WORDS else Path(config.refiner)
    given = (*inputs, model_path(config.model), weights_path(config.motion), refiner)
    for path in given:
        if path is not None and path.resolve().is_relative_to(out):
            raise UserError(
                f"the input {path} is --out {config.out} or lies in it, where it could be overwritten; choose an --out "
                "of its own"
            )
