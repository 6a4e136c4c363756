"""What ``seglift train`` can train, by the ``kind`` of the recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.score.run import format_scores
from seglift.workflows.train.coarse_to_fine import (
    describe_coarse_to_fine_training,
    run_coarse_to_fine_training,
)
from seglift.workflows.train.panoptic import describe_panoptic_training, run_panoptic_training
from seglift.workflows.train.refiner import describe_refiner_training, run_refiner_training
from seglift.workflows.train.segmentation import TrainResult, describe_training, run_training
from seglift.workflows.train.setup import TrainOptions
from seglift.workflows.train.video import describe_video_training, run_video_training


@dataclass(frozen=True)
class Trained:
    """Where the best weights lie, and their scores as a table where there was something to score on."""

    weights: Path
    table: str | None


Run = Callable[[Mapping[str, Any], str, Path, TrainOptions], Trained | None]
Describe = Callable[[Mapping[str, Any], str, Path, TrainOptions], str]


def _segmentation(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    return _as_table(run_training(values, where, out, options))


def _coarse_to_fine(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    return _as_table(run_coarse_to_fine_training(values, where, out, options))


def _as_table(done: TrainResult | None) -> Trained | None:
    if done is None:
        return None
    return Trained(done.weights, None if done.scores is None else format_scores(done.scores))


def _panoptic(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    done = run_panoptic_training(values, where, out, options)
    if done is None:
        return None
    result, scores = done
    return Trained(result.weights, None if scores is None else format_scores(scores))


def _video_prediction(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    done = run_video_training(values, where, out, options)
    if done is None:
        return None
    result, scores = done
    return Trained(result.weights, None if scores is None else scores.table())


def _refiner(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    done = run_refiner_training(values, where, out, options)
    if done is None:
        return None
    result, scores = done
    return Trained(result.weights, None if scores is None else scores.table())


KINDS: dict[str, tuple[Run, Describe]] = {
    "segmentation": (_segmentation, describe_training),
    "panoptic": (_panoptic, describe_panoptic_training),
    "video_prediction": (_video_prediction, describe_video_training),
    "refiner": (_refiner, describe_refiner_training),
    "coarse_to_fine": (_coarse_to_fine, describe_coarse_to_fine_training),
}
"""For each kind what trains it, and what says what would be trained."""


def run_recipe(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> Trained | None:
    """Trains what a recipe says in ``out``; None in all but the first process under ``torchrun``.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: folder of the training.
        options: of the command line.

    Raises:
        UserError: an unknown kind (the known ones are listed), or what training it raises.
    """
    return _kind(values, where, options)[0](values, where, out, options)


def describe_recipe(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_recipe` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as :func:`run_recipe` before it trains.
    """
    return _kind(values, where, options)[1](values, where, out, options)


def _kind(values: Mapping[str, Any], where: str, options: TrainOptions) -> tuple[Run, Describe]:
    given = with_overrides(values, options.overrides)
    sources = given.get("train")
    if "kind" not in given and any("frames" in one for one in sources or () if isinstance(one, Mapping)):
        raise UserError(f"{where} has no kind, but frames to train on; add kind: video_prediction")
    kind = given.get("kind", "segmentation")
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise UserError(f"{where}: kind is {kind}, expected one of {', '.join(KINDS)}; correct the recipe")
    return found
