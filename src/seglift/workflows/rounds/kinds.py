"""The kinds of network that rounds can train: their recipe, how they are built, how weights are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seglift.base.errors import UserError
from seglift.inference.semantic_model import HUB_PREFIX
from seglift.models.network import SegmentationNetwork
from seglift.models.zoo import build, build_panoptic
from seglift.training.starts.start_weights import read_start
from seglift.workflows.score.run import Scores
from seglift.workflows.train.panoptic_score import score_panoptic_training
from seglift.workflows.train.recipe import ImageTrainRecipe, PanopticTrainRecipe, TrainRecipe
from seglift.workflows.train.score import score_training
from seglift.workflows.train.setup import TrainOptions, set_up

SEGMENTATION, PANOPTIC = "segmentation", "panoptic"


@dataclass(frozen=True)
class NetworkKind:
    """What rounds need to know of a kind.

    Attributes:
        recipe: the dataclass of its recipe.
        build: makes its network of ``NetworkConfig.resolved``.
        score: the scores of given weights with the settings of a recipe's plain values.
    """

    recipe: type[ImageTrainRecipe]
    build: Callable[..., SegmentationNetwork]
    score: Callable[[Mapping[str, Any], str, TrainOptions, Path], Scores | None]


def _score_segmentation(values: Mapping[str, Any], where: str, options: TrainOptions, weights: Path) -> Scores | None:
    setup = set_up(values, where, options, TrainRecipe, build, lambda recipe, data: None)
    return score_training(setup, weights, None)


def _score_panoptic(values: Mapping[str, Any], where: str, options: TrainOptions, weights: Path) -> Scores | None:
    setup = set_up(values, where, options, PanopticTrainRecipe, build_panoptic, lambda recipe, data: None)
    return score_panoptic_training(setup, weights, None)


KINDS: dict[str, NetworkKind] = {
    SEGMENTATION: NetworkKind(TrainRecipe, build, _score_segmentation),
    PANOPTIC: NetworkKind(PanopticTrainRecipe, build_panoptic, _score_panoptic),
}
"""Those kinds of ``workflows.train.kinds`` whose networks label images."""


def kind_of(values: Mapping[str, Any], where: str) -> str:
    """The kind that a recipe of ``seglift train`` trains, one of :data:`KINDS`.

    Raises:
        UserError: another one.
    """
    kind = values.get("kind", SEGMENTATION)
    if kind not in KINDS:
        raise UserError(f"{where}: kind is {kind}, expected one of {', '.join(KINDS)}; rounds train no other")
    return str(kind)


def count_parameters(config: Mapping[str, Any]) -> int:
    """Parameters of the network that ``zoo.build`` makes of ``config``; nothing is allocated."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(config).parameters())


def count_weights(spec: str) -> int | None:
    """Parameters of the network whose weights ``--model`` names; None of a hub model, which is not opened for it.

    Raises:
        UserError: there are no such weights.
    """
    return None if spec.startswith(HUB_PREFIX) else count_parameters(read_start(Path(spec)).config)
