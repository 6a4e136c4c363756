"""What a refiner learns from: labels that come back to labelled frames, made by frozen models and motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from seglift.base.errors import UserError
from seglift.base.locks import file_lock
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import SemanticModel, load_model
from seglift.inference.settings import LABELLING
from seglift.labels.space import LabelSpace
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.named import get_estimator
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.training.loop.processes import is_first_process
from seglift.training.refining.planned import PlannedFrame, plan_returns
from seglift.training.refining.returns_cache import Making, ReturnsCache
from seglift.workflows.input_identity import fingerprint_model, motion_identity
from seglift.workflows.train.data import TrainingData
from seglift.workflows.train.refiner_recipe import RefinerTrainRecipe


@dataclass(frozen=True)
class Frozen:
    """The models and the motion that a refiner's training takes as they are.

    Attributes:
        model: whose features the refiner reads, without settings around it.
        identity: its content.
        teachers: models that fill in, one for each fold, with their content.
        estimator: of motion.
        motion: what identifies it.
    """

    model: SemanticModel
    identity: str
    teachers: tuple[tuple[SemanticModel, str], ...]
    estimator: MotionEstimator
    motion: str

    @property
    def predictor(self) -> SemanticModel:
        """The model as ``label`` looks at frames with it."""
        return Predictor(self.model, LABELLING)


def load_frozen(recipe: RefinerTrainRecipe, space: LabelSpace, device: str) -> Frozen:
    """Loads models and motion.

    Raises:
        UserError: one of them cannot be had, or its classes do not fit the space.
    """
    if recipe.model is None:
        raise ValueError("the recipe names no segmentation model")
    model = load_model(recipe.model, space, device)
    teachers = tuple((load_model(fold.model, space, device), fingerprint_model(fold.model)) for fold in recipe.folds)
    estimator = get_estimator(recipe.motion, device)
    return Frozen(model, fingerprint_model(recipe.model), teachers, estimator, motion_identity(recipe.motion))


@dataclass(frozen=True)
class RefinerData:
    """Planned labellings of a recipe's data.

    Attributes:
        train: frames to learn from.
        val: held-out frames; None where the recipe has none.
    """

    train: tuple[PlannedFrame, ...]
    val: tuple[PlannedFrame, ...] | None


def plan_data(recipe: RefinerTrainRecipe, data: TrainingData, estimator: MotionEstimator) -> RefinerData:
    """Finds what comes back to which frames; reads no image.

    Raises:
        UserError: a source without video around its labelled images, or a training image that no fold left out.
    """
    looks_back = wants_previous(estimator)
    train = tuple(frame for part in data.train for frame in plan_returns(part, recipe.pairs, looks_back))
    for frame in train if recipe.folds else ():
        _fold_of(recipe, frame)
    return RefinerData(train, None if data.val is None else plan_returns(data.val, recipe.pairs, looks_back))


def make_returns(frames: Sequence[PlannedFrame], making: Making, folder: Path, title: str) -> ReturnsCache:
    """Makes the labels that come back, or finds them in ``folder``; of several processes one makes them.

    Raises:
        UserError: a frame or label cannot be read, or ``folder`` cannot be written.
    """
    returns = ReturnsCache(folder, frames, making)
    try:
        with file_lock(folder / "lock", wait=True):
            returns.make(making, title, quiet=not is_first_process())
    except OSError as error:
        raise UserError(
            f"cannot write {folder} ({error.strerror or error}); free space or choose another folder"
        ) from error
    return returns


def filled_by_model(recipe: RefinerTrainRecipe, frozen: Frozen, device: str) -> Making:
    """How labels come back to frames that the model has not learnt: it fills in."""
    return _making(recipe, frozen, device, lambda _: (frozen.model, frozen.identity))


def filled_by_folds(recipe: RefinerTrainRecipe, frozen: Frozen, device: str) -> Making:
    """How labels come back to training frames: the fold that has not learnt a frame fills in, else the model."""
    if not frozen.teachers:
        return filled_by_model(recipe, frozen, device)
    return _making(recipe, frozen, device, lambda frame: frozen.teachers[_fold_of(recipe, frame)])


def _making(
    recipe: RefinerTrainRecipe,
    frozen: Frozen,
    device: str,
    filler: Callable[[PlannedFrame], tuple[SemanticModel, str]],
) -> Making:
    return Making(
        recipe.pairs,
        frozen.estimator,
        lambda frame: SemanticLabeller(Predictor(filler(frame)[0], LABELLING), frame.space),
        lambda frame: f"{frozen.motion} {filler(frame)[1]}",
        torch.device(device),
    )


def _fold_of(recipe: RefinerTrainRecipe, frame: PlannedFrame) -> int:
    """Number of the first fold whose model has not learnt the frame."""
    names = [frame.item.name, *([] if frame.item.clip is None else [frame.item.clip])]
    for number, fold in enumerate(recipe.folds):
        if any(fnmatchcase(name, pattern) for name in names for pattern in fold.unseen):
            return number
    raise UserError(
        f"no fold leaves out the training image {frame.item.name}, expected each in unseen of one of the"
        f" {len(recipe.folds)} folds; add its name or its clip's"
    )
