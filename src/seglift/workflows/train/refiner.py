"""``seglift train`` with ``kind: refiner``: the denoiser of Warp-Refine, learnt from labels that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import write_json
from seglift.base.progress import say
from seglift.base.weights import load_weights
from seglift.inference.semantic_model import feature_channels
from seglift.metrics.confusion import Confusion
from seglift.models.zoo import build_refiner
from seglift.propagation.tau import TAUS, written_tau
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.loop.task import Part
from seglift.training.refinement import FrozenModel, RefinementTask
from seglift.training.refinement_validation import BeforeAfter, HeldOutReturns
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe
from seglift.workflows.score.run import percent, render_table
from seglift.workflows.train.data import TrainingData, open_data
from seglift.workflows.train.device import training_device
from seglift.workflows.train.folder import RETURNS, TAU
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.record import check_folder, check_place
from seglift.workflows.train.refiner_data import (
    Frozen,
    RefinerData,
    filled_by_folds,
    filled_by_model,
    load_frozen,
    make_returns,
    plan_data,
)
from seglift.workflows.train.refiner_recipe import RefinerTrainRecipe
from seglift.workflows.train.refiner_tau import SAID as SAID_OF_TAU
from seglift.workflows.train.refiner_tau import choose_tau, frames_to_choose_on
from seglift.workflows.train.setup import TrainOptions

SAID = {"cycle": "out and back", "keyframe": "from a labelled neighbour"}


@dataclass(frozen=True)
class RefinerScores:
    """Labels that came back to held-out frames, before and after the best weights.

    Attributes:
        found: by kind (``cycle``, ``keyframe``) and length in frames; length 0 is all of a kind.
        judged_by: the kind that chose the weights.
    """

    found: Mapping[tuple[str, int], BeforeAfter]
    judged_by: str

    @property
    def helps(self) -> bool:
        """Whether refined labels are better than those that came back."""
        total = self.found[self.judged_by, 0]
        return total.after.miou() > total.before.miou()

    def as_json(self) -> dict[str, Any]:
        """Of each kind, over all and by length: ``before`` and ``after`` with ``miou`` and ``pixel_accuracy`` (0..1),
        and the number of ``pairs``.
        """
        numbers: dict[str, Any] = {}
        for (kind, length), one in sorted(self.found.items()):
            values: dict[str, Any] = {"pairs": one.pairs}
            for name, confusion in (("before", one.before), ("after", one.after)):
                values[name] = {"miou": confusion.miou(), "pixel_accuracy": confusion.pixel_accuracy()}
            if length == 0:
                numbers[kind] = values | {"by_length": {}}
            else:
                numbers[kind]["by_length"][str(length)] = values
        return numbers

    def table(self) -> str:
        """The same for a person."""
        rows = []
        for (kind, length), one in sorted(self.found.items()):
            shares = (
                score(of) for score in (Confusion.miou, Confusion.pixel_accuracy) for of in (one.before, one.after)
            )
            rows.append((f"{SAID[kind]}, {length or 'all'}", *map(percent, shares), str(one.pairs)))
        names = ("frames", "mIoU before", "refined", "accuracy before", "refined", "pairs")
        return render_table("Labels that came to held-out frames", names, rows)


@dataclass(frozen=True)
class RefinerTraining:
    """A training that can begin."""

    recipe: RefinerTrainRecipe
    data: TrainingData
    planned: RefinerData
    frozen: Frozen
    options: TrainOptions
    device: str

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every labelled frame is shown once, the last one filled up."""
        return -(-len(self.planned.train) // self.recipe.batch)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.fit.resolved(self.steps_per_epoch).steps

    @property
    def network(self) -> dict[str, Any]:
        """What ``zoo.build_refiner`` makes the network from."""
        features = feature_channels(self.frozen.model, self.device)
        return self.recipe.network.resolved(self.data.space.num_train, features)


def run_refiner_training(
    values: Mapping[str, Any], where: str, out: Path, options: TrainOptions
) -> tuple[FitResult, RefinerScores | None] | None:
    """Trains what a recipe says and says whether the result helps; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives the same files as a training of segmentation, ``returns/``, the labels that came back, and where
            the threshold is chosen ``tau.json``.
        options: see there.

    Returns:
        None in all but the first process under ``torchrun``.

    Raises:
        UserError: recipe, data, model or motion are wrong, ``out`` is no folder of this training, or the training
            fails.
    """
    training = _set_up(values, where, options)
    if not is_first_process():
        _train(training, out)
        return None
    return train_in_folder(
        training.data.record(training.recipe),
        out,
        options.overwrite,
        training.steps,
        lambda: _train(training, out),
        lambda weights: _score(training, weights, out),
    )


def describe_refiner_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_refiner_training` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as :func:`run_refiner_training` before it trains.
    """
    training = _set_up(values, where, options)
    recipe, planned = training.recipe, training.planned
    record = training.data.record(recipe)
    check_place(record, out)
    if not options.overwrite:
        check_folder(record, out)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build_refiner(training.network).parameters())
    others = counted(len(recipe.folds), "model that has", "models that have")
    fillers = f"{others} not learnt them" if recipe.folds else recipe.model
    lines = [
        f"{said}: {_returning(sum(len(frame.returns) for frame in frames))} back to {counted(len(frames), 'frame')}"
        for said, frames in (("train", planned.train), ("validate and score on", planned.val or ()))
        if frames
    ]
    lines += [
        f"network: {recipe.network.architecture}, {count / 1e6:.2f} M parameters, on"
        f" {counted(training.network['arguments']['feature_channels'], 'feature')} of {recipe.model}",
        f"labels travel by {recipe.motion}, filled in by {fillers}",
        *([_tau_to_choose(training)] if recipe.pairs.tau == "auto" else ()),
        f"loss: {recipe.loss.name}; {counted(training.steps, 'step')} of {counted(recipe.batch, 'crop')} of"
        f" {recipe.crop[0]}x{recipe.crop[1]} ({training.steps / training.steps_per_epoch:.1f} epochs of"
        f" {len(planned.train)}), on {training.device}",
    ]
    return "\n".join(lines)


def _returning(count: int) -> str:
    return counted(count, "labelling that comes", "labellings that come")


def _set_up(values: Mapping[str, Any], where: str, options: TrainOptions) -> RefinerTraining:
    """Checks recipe, data, device, models, motion, network and loss; reads no image, writes nothing."""
    recipe = parse_recipe(with_overrides(values, options.overrides), RefinerTrainRecipe, where)
    if options.skip_corrupt:
        raise UserError("--skip-corrupt is not for a training of a refiner, whose frames depend on each other; drop it")
    device = training_device(options.device, recipe.fit.precision)
    data = open_data(recipe, options.roots)
    classes = data.space.num_train + 1
    recipe.loss.build(torch.ones(classes) if recipe.class_balance else None, classes)
    frozen = load_frozen(recipe, data.space, device)
    training = RefinerTraining(recipe, data, plan_data(recipe, data, frozen.estimator), frozen, options, device)
    with torch.device("meta"):
        build_refiner(training.network)
    return training


def _tau_to_choose(training: RefinerTraining) -> str:
    chosen_on = frames_to_choose_on(training.planned.train, training.recipe.pairs)
    taus = ", ".join(f"{tau:g}" for tau in TAUS)
    return f"tau: chosen from {taus} by {SAID_OF_TAU[chosen_on.kind]} on {len(chosen_on.frames)} training frames"


def _with_tau(training: RefinerTraining, out: Path, quiet: bool = False) -> RefinerTraining:
    """The training with its threshold as a number; where it has to be chosen, ``out`` tells how."""
    recipe = training.recipe
    if recipe.pairs.tau != "auto":
        return training
    making = filled_by_folds(recipe, training.frozen, training.device)
    choice = choose_tau(frames_to_choose_on(training.planned.train, recipe.pairs), making, _kept(training, out))
    if is_first_process() and not quiet:
        say(choice.sentence())
        write_json(out / TAU, choice.as_json())
    return replace(training, recipe=replace(recipe, pairs=replace(recipe.pairs, tau=written_tau(choice.tau))))


def _train(training: RefinerTraining, out: Path) -> FitResult:
    training = _with_tau(training, out)
    recipe, data, frozen = training.recipe, training.data, training.frozen
    making = filled_by_folds(recipe, frozen, training.device)
    returns = make_returns(training.planned.train, making, _kept(training, out), "labels out and back")
    model = FrozenModel(frozen.model, frozen.identity, training.device)
    task = RefinementTask(returns, data.space, recipe, model, recipe.motion, _held_out(training, out))
    return fit(task, recipe.fit, out, training.options.device)


def _held_out(training: RefinerTraining, out: Path) -> HeldOutReturns | None:
    recipe, frozen, val = training.recipe, training.frozen, training.planned.val
    if val is None:
        return None
    making = filled_by_model(recipe, frozen, training.device)
    returns = make_returns(val, making, _kept(training, out), "labels out and back, val")
    return HeldOutReturns(returns, recipe.val_pairs, training.data.space, frozen.predictor)


def _kept(training: RefinerTraining, out: Path) -> Path:
    return training.options.cache or out / RETURNS


def _score(training: RefinerTraining, weights: Path, out: Path) -> RefinerScores | None:
    training = _with_tau(training, out, quiet=True)
    held_out = _held_out(training, out)
    if held_out is None:
        return None
    tensors, metadata = load_weights(weights)
    network = build_refiner(metadata["network"])
    network.load_state_dict(tensors)
    network.to(training.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = held_out.compare(network, torch.device(training.device), Part(), "refining held-out labels")
    scores = RefinerScores(found, held_out.judged_by)
    if not scores.helps:
        say("refined labels are no better than those that came back: train longer, or label without a refiner")
    return scores
