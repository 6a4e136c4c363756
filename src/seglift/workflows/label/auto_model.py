"""The segmentation model of ``seglift label``: given, tuned to the clip's keyframes, or trained on them alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from seglift.base.files import fingerprint_file, fingerprint_values, read_json, write_json
from seglift.base.progress import say
from seglift.base.threads import threads_per_call, worker_count
from seglift.base.weights import load_weights
from seglift.inference.checkpoint import WEIGHTS_NAME, CheckpointModel
from seglift.inference.class_mapping import map_classes
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import SemanticModel, load_model
from seglift.inference.settings import LABELLING
from seglift.labels.reading import read_label
from seglift.models.zoo import build
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.loop.fit_config import FitConfig
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe, train_segmentation
from seglift.training.starts.start_weights import Start
from seglift.workflows.input_identity import fingerprint_model
from seglift.workflows.label.config import AUTO_STEPS
from seglift.workflows.label.output import MODEL_FOLDER
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.label.tune import read_tune_start

FOLDER = MODEL_FOLDER
CLASS_BALANCE = 0.5
TUNE_RATE = 1e-3
LARGE_SIDE, LARGE_CROP = 512, (512, 640)


@dataclass(frozen=True)
class ClipModel:
    """A model ready for a clip.

    Attributes:
        model: with its inference settings.
        fingerprint: changes when the model does.
        about: what ``run.json`` says of it; of a trained one also ``steps`` and ``stopped_at_step``, the step at which
            the cap on time ended its training (None: it did not).
    """

    model: SemanticModel
    fingerprint: str
    about: dict[str, Any]


def get_clip_model(plan: LabelPlan, work: Path) -> ClipModel:
    """Loads the model that ``--model`` names and tunes it where asked for, or trains one for ``auto``.

    Args:
        plan: the checked inputs.
        work: the run's folder; a trained model is kept in ``work/model`` and used again by later runs, also when
            keyframes were added, changed or removed since (so that only the gaps they touch change).

    Raises:
        UserError: the model cannot be loaded or trained.
    """
    spec, device = plan.config.model, plan.config.device
    if spec == "auto" or plan.config.tune:
        return _trained_model(plan, work / FOLDER)
    model = load_model(spec, plan.space, device)
    digest = fingerprint_model(spec)
    about = {"spec": spec, "sha256": digest, "classes": model.space_classes}
    return ClipModel(Predictor(model, LABELLING), digest, about)


def untrained_model(plan: LabelPlan) -> SemanticModel:
    """The model of ``auto`` or of ``--tune`` before its training, to see how long one frame takes."""
    if plan.config.tune:
        return Predictor(load_model(plan.config.model, plan.space, plan.config.device), LABELLING)
    space, recipe = plan.space, auto_recipe(1, None, plan.config.seed)
    network = build(recipe.network.resolved(space.num_train), seed=0).to(plan.config.device)
    mapping = map_classes(space.train_names, space, "the model")
    return Predictor(CheckpointModel(network, space.train_names, mapping, recipe.short_side), LABELLING)


def auto_recipe(steps: int, minutes: float | None, seed: int) -> SegmentationRecipe:
    """How a model is trained from scratch on the keyframes of one clip; see ``benchmarks/RESULTS.md`` for why so."""
    return SegmentationRecipe(
        network=NetworkConfig("compact_unet"),
        fit=FitConfig(
            steps=steps,
            optimizer="muon",
            learning_rate=5e-3,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            schedule="warmup_cosine",
            clip_norm=5.0,
            average=0.98,
            seed=seed,
            minutes=minutes,
            tensorboard=False,
        ),
        augmentation=AugmentationConfig(scale=(0.7, 1.5), aspect=0.1, jitter=0.3, hue=0.05, blur=None),
        crop=(256, 320),
        batch=2,
        class_balance=CLASS_BALANCE,
        short_side=384,
    )


def tune_recipe(start: Start, steps: int, minutes: float | None, seed: int) -> SegmentationRecipe:
    """How a trained model is tuned to the keyframes of one clip: as ``auto``, with gentler steps, at its own size."""
    recipe = auto_recipe(steps, minutes, seed)
    arguments = {name: value for name, value in start.config["arguments"].items() if name != "num_classes"}
    network = NetworkConfig(start.config["architecture"], arguments)
    large = start.short_side is None or start.short_side > LARGE_SIDE
    return replace(
        recipe,
        network=network,
        fit=replace(recipe.fit, optimizer="adamw", learning_rate=TUNE_RATE),
        crop=LARGE_CROP if large else recipe.crop,
        class_balance=recipe.class_balance if network.architecture == recipe.network.architecture else 0.0,
        short_side=start.short_side,
    )


class KeyframeSamples(Sequence[Sample]):
    """The clip's keyframes as training samples, read when asked for.

    Args:
        plan: the clip.
        indices: some of its keyframes; None for all.
    """

    def __init__(self, plan: LabelPlan, indices: Sequence[int] | None = None) -> None:
        self._plan, self._indices = plan, sorted(plan.label_fingerprints if indices is None else indices)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, number: int) -> Sample: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Sample]: ...
    def __getitem__(self, number: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        index, space = self._indices[number], self._plan.space
        label = space.to_train(read_label(self._plan.keyframe_at[index].label, space))
        return Sample(self._plan.clip.frames[index], label)


def _trained_model(plan: LabelPlan, folder: Path) -> ClipModel:
    config = plan.config
    frames = plan.clip.frames
    trained_on = {
        frames.stems[i]: fingerprint_values(digest, frames.frame_fingerprint(i))
        for i, digest in sorted(plan.label_fingerprints.items())
    }
    note = folder / "trained_on.json"
    known = read_json(note) if note.is_file() else None
    if known != trained_on and not (folder / WEIGHTS_NAME).is_file():
        shutil.rmtree(folder, ignore_errors=True)  # nothing, or the start of a training on other keyframes
        write_json(note, trained_on)
    elif known != trained_on:
        say("the model that was trained on earlier keyframes is used again; --overwrite trains anew on today's")
    model = train_on_keyframes(plan, folder)
    digest = fingerprint_file(folder / WEIGHTS_NAME)
    _, described = load_weights(folder / WEIGHTS_NAME)
    training = described.get("training", {})
    about = {"spec": config.model, "tuned": config.tune, "sha256": digest, "trained_on": sorted(known or trained_on)}
    about |= {name: training.get(name) for name in ("steps", "stopped_at_step")}
    return ClipModel(model, digest, about)


def train_on_keyframes(
    plan: LabelPlan, folder: Path, indices: Sequence[int] | None = None, parts: int = 1
) -> SemanticModel:
    """Trains a model as ``auto`` or ``--tune`` does, or goes on with its training, and loads it.

    Args:
        plan: the checked inputs.
        folder: of the training; one that has ended is not repeated.
        indices: keyframes to train on; None for all.
        parts: it takes a ``parts``-th of the steps, and of the time where that is capped.

    Returns:
        The model with its inference settings.

    Raises:
        UserError: the keyframes show no evaluated class, or ``folder`` cannot be written.
    """
    device = plan.config.device
    if not (folder / WEIGHTS_NAME).is_file():
        recipe, start = _recipe_and_start(plan, parts)
        with threads_per_call(worker_count()), torch.inference_mode(False):
            train_segmentation(KeyframeSamples(plan, indices), plan.space, recipe, folder, device, start=start)
        training = load_weights(folder / WEIGHTS_NAME)[1].get("training", {})
        if training.get("stopped_at_step") is not None:
            say(f"--model-minutes ended the training at step {training['stopped_at_step']} of {recipe.fit.steps}")
    return Predictor(load_model(folder, plan.space, device), LABELLING)


def _recipe_and_start(plan: LabelPlan, parts: int) -> tuple[SegmentationRecipe, dict[str, Tensor] | None]:
    """How to train, and from which weights."""
    config = plan.config
    steps = max(1, (config.model_steps or AUTO_STEPS) // parts)
    minutes = None if config.model_minutes is None else config.model_minutes / parts
    if not config.tune:
        return auto_recipe(steps, minutes, config.seed), None
    start = read_tune_start(config.model, plan.space)
    return tune_recipe(start, steps, minutes, config.seed), start.tensors
