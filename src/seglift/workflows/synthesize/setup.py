"""What ``seglift synthesize`` checks and loads before it writes: options, data, motion, model, OUT."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset
from seglift.inference.semantic_model import HUB_PREFIX, SemanticModel
from seglift.motion.estimator import MotionEstimator
from seglift.motion.named import get_estimator
from seglift.workflows.label.config import NO_CHECKPOINT
from seglift.workflows.synthesize.config import SynthesizeConfig
from seglift.workflows.synthesize.output import SynthesizeOutput
from seglift.workflows.synthesize.plan import SynthesizePlan, make_plan
from seglift.workflows.synthesize.take_turns import Lock, TurnTakingEstimator, TurnTakingModel

if TYPE_CHECKING:  # networks are slow to import, and motion needs none
    from seglift.propagation.refiner import Refiner


@dataclass(frozen=True)
class Tools:
    """What the making of every source shares.

    Attributes:
        config: resolved options.
        dataset: the opened split.
        estimator: of motion; None for a method without.
        model: the segmentation model; None for a method without.
        refiner: a trained one, in the dataset's label space; None without.
    """

    config: SynthesizeConfig
    dataset: Dataset
    estimator: MotionEstimator | None
    model: SemanticModel | None
    refiner: Refiner | None = None


def prepare(config: SynthesizeConfig) -> tuple[SynthesizePlan, Tools]:
    """Everything that a run checks and loads before it writes.

    Args:
        config: options as given.

    Raises:
        UserError: something is wrong with options, data, weights or OUT; nothing has been written.
    """
    config = config.resolved()
    given = config.model != "none" and not config.model.startswith(HUB_PREFIX)
    if given and not os.path.exists(config.model):  # noqa: PTH110 - never raises
        raise UserError(f"--model {config.model} is neither a file nor a folder; give a checkpoint or hf:ID")
    lock = threading.RLock()  # a refiner asks the model during its own turn
    estimator = _load_estimator(config, lock) if config.carries else None
    plan = make_plan(config, estimator)
    SynthesizeOutput(config, plan.identity()).check(config.overwrite)
    model = _load_model(config, plan.dataset, lock) if config.model != "none" else None
    refiner = None
    if model is not None and config.refiner not in NO_CHECKPOINT:
        refiner = _load_refiner(config, plan.dataset, model, lock)
    return plan, Tools(config, plan.dataset, estimator, model, refiner)


def _load_estimator(config: SynthesizeConfig, lock: Lock) -> MotionEstimator:
    estimator = get_estimator(config.motion, config.device)
    on_cpu = config.device == "cpu" or config.motion.partition(":")[0] == "dis"
    return estimator if on_cpu else TurnTakingEstimator(estimator, lock)


def _load_model(config: SynthesizeConfig, dataset: Dataset, lock: Lock) -> SemanticModel:
    from seglift.inference.predict import Predictor
    from seglift.inference.semantic_model import load_model
    from seglift.inference.settings import LABELLING

    model = Predictor(load_model(config.model, dataset.space, config.device), LABELLING)
    return model if config.device == "cpu" else TurnTakingModel(model, lock)


def _load_refiner(config: SynthesizeConfig, dataset: Dataset, model: SemanticModel, lock: Lock) -> Refiner:
    from seglift.propagation.refiner import load_refiner
    from seglift.workflows.synthesize.take_turns_refining import TurnTakingRefiner

    refiner = load_refiner(Path(config.refiner), dataset.space, model, config.device)
    return refiner if config.device == "cpu" else TurnTakingRefiner.of(refiner, lock)
