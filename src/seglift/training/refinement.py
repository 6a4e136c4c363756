"""Training the denoiser of Warp-Refine by cycle-consistency (Ganeshan et al., ICCV 2021, section 3.4).

Segmentation model and motion are frozen; the labels that come back to labelled frames are made beforehand, so that
training is supervised: what came back goes in, what the human drew should come out.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.inference.semantic_model import SemanticModel, feature_channels
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.models.zoo import build_refiner
from seglift.propagation.cycle import ReturnConfig
from seglift.propagation.refiner import refiner_metadata
from seglift.training.images.augmentation import AugmentationConfig, View, random_view
from seglift.training.images.sample import Sample
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.refinement_validation import HeldOutReturns
from seglift.training.refining.balance import class_weights
from seglift.training.refining.draws import Draw, ReturnDraws
from seglift.training.refining.features import FrozenFeatures
from seglift.training.refining.returns_cache import ReturnedFrame, ReturnsCache
from seglift.training.videos.array_cache import ArrayCache

CACHE_BYTES = 1 << 30
"""Decoded frames that are kept, over all loading processes."""


@dataclass(frozen=True)
class RefinerNetworkConfig:
    """A refiner by name; classes and features follow from the label space and the segmentation model."""

    architecture: str = "refiner_compact"
    """refiner_paper or refiner_compact."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of its constructor that differ from their defaults: width, n_down, blocks, kernel, norm, residual."""

    def resolved(self, num_classes: int, features: int) -> dict[str, Any]:
        """The plain values that ``zoo.build_refiner`` takes."""
        found = {"num_classes": num_classes, "feature_channels": features}
        return {"architecture": self.architecture, "arguments": {**self.arguments, **found}}


@dataclass(frozen=True)
class RefinementRecipe:
    """How to train a refiner."""

    network: RefinerNetworkConfig = field(default_factory=RefinerNetworkConfig)
    """The network."""
    pairs: ReturnConfig = field(default_factory=ReturnConfig)
    """Which labels come back to labelled frames, and how they travel."""
    keyframe_share: float = 0.5
    """Share of views that show a labelled neighbour's labels rather than a cycle, 0..1, where there are both."""
    balanced: float = 0.5
    """Share of views around a pixel of a class chosen uniformly, 0..1."""
    class_balance: float = 0.0
    """Weight of a class in the loss is its frequency to the power of minus this, 0..1, so that rare ones are not taken
    for frequent ones; not for every loss."""
    fit: FitConfig = field(default_factory=lambda: FitConfig(average=0.98))
    """Length, optimiser, seed."""
    augmentation: AugmentationConfig = field(default_factory=lambda: AugmentationConfig(jitter=0.2, blur=None))
    """How views vary: labels, what came back and both pictures together."""
    crop: tuple[int, int] = (256, 320)
    """Height and width of the crops, pixels."""
    batch: int = 4
    """Crops in each step, over all processes and accumulated parts."""
    loss: CriterionConfig = field(default_factory=lambda: CriterionConfig(name="rmi"))
    """What is minimised, over the classes and "ignored"."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "crop": (min(self.crop) >= 16, "at least 16 x 16"),
            "batch": (self.batch >= 1, "at least 1"),
            "balanced": (0 <= self.balanced <= 1, "0..1"),
            "class_balance": (0 <= self.class_balance <= 1, "0..1"),
            "keyframe_share": (0 <= self.keyframe_share <= 1, "0..1"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")


@dataclass(frozen=True)
class FrozenModel:
    """The segmentation model whose features a refiner reads.

    Attributes:
        model: without settings around it, on the device of the training.
        identity: tells it from others, by content.
        device: where it works.
    """

    model: SemanticModel
    identity: str
    device: str | torch.device = "cpu"


class RefinementTask:
    """Batches of random views of what came back to labelled frames; the human's labels should come out.

    Args:
        returns: training data, made.
        space: label space of the labels.
        recipe: how to train.
        frozen: the segmentation model.
        motion: what the checkpoint says of the motion that labels travelled by.
        held_out: what the best weights are chosen by; None keeps the last.

    Raises:
        UserError: a network that cannot be built, or a loss whose settings do not fit the classes.
    """

    def __init__(
        self,
        returns: ReturnsCache,
        space: LabelSpace,
        recipe: RefinementRecipe,
        frozen: FrozenModel,
        motion: str,
        held_out: HeldOutReturns | None = None,
    ) -> None:
        self.returns, self.space, self.recipe, self.motion, self.held_out = returns, space, recipe, motion, held_out
        self._model_identity = frozen.identity
        self._features: FrozenFeatures | None = FrozenFeatures(frozen.model)
        width = feature_channels(frozen.model, frozen.device)
        self.network_values = recipe.network.resolved(space.num_train, width)
        self.network = build_refiner(self.network_values, seed=recipe.fit.seed).to(memory_format=torch.channels_last)
        self._scales = [self._features.scale_of(*frame.frames.size) for frame in returns.frames]
        self._limit = CACHE_BYTES // max(1, recipe.fit.workers)
        self._kept: ArrayCache[ReturnedFrame] = ArrayCache(self._limit)
        wants_classes = recipe.balanced > 0 or recipe.class_balance > 0
        labels = (returns.label(number) for number in range(len(returns))) if wants_classes else ()
        self.draws = ReturnDraws(
            [frame.returns for frame in returns.frames],
            labels,
            recipe.pairs.lengths,
            recipe.keyframe_share,
            recipe.balanced,
            recipe.fit.seed,
        )
        self.criterion = recipe.loss.build(self._class_weights(), space.num_train + 1)

    def _class_weights(self) -> Tensor | None:
        """Weights of the classes and of "ignored", float32 [C + 1], mean 1 over the pixels; None without balance."""
        if self.recipe.class_balance == 0:
            return None
        return class_weights(self.draws.pixels, self.space.num_train, self.recipe.class_balance)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def trainable(self) -> nn.Module:
        """The network: labels [B, h, w], two images [B, 3, h, w] and features to logits [B, C + 1, h, w]."""
        return self.network

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every labelled frame is shown once."""
        return math.ceil(len(self.returns) / self.recipe.batch)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``image`` and ``warped`` float32 [B, 3, h, w] 0..1, ``places`` float32 [B, 2, h, w], ``label`` and
        ``carried`` uint8 [B, h, w] of 0..C (C = ignored), ``weight`` float32 [B, h, w], ``scale`` float64 [B].
        """
        first = step * self.recipe.batch
        numbers = [first + number for number in part.share(self.recipe.batch)]
        drawn = [self.draws.draw(seed, position) for position in numbers]
        views = [self._views(seed, position, draw) for position, draw in zip(numbers, drawn, strict=True)]
        return {
            "image": torch.stack([target.image for target, _ in views]),
            "warped": torch.stack([came.image for _, came in views]),
            "places": torch.stack([target.places for target, _ in views]),
            "label": torch.stack([self._classes(target.label) for target, _ in views]),
            "carried": torch.stack([self._classes(came.label) for _, came in views]),
            "weight": torch.stack([target.weight for target, _ in views]),
            "scale": torch.tensor([self._scales[draw.number] for draw in drawn], dtype=torch.float64),
        }

    def _views(self, seed: int, position: int, draw: Draw) -> tuple[View, View]:
        """The same view of the frame with its labels, and of the carried picture with what came back."""
        frame = self._kept.get((draw.number, draw.which), lambda: self.returns.read(draw.number, draw.which))
        inside = np.ones(frame.label.shape, np.float32)  # weighs 0 where a view reaches outside
        pairs = ((frame.image, frame.label), (frame.warped, frame.carried))
        target, came = (
            random_view(
                Sample(picture, labels, inside),
                self.recipe.crop,
                self.recipe.augmentation,
                numpy_generator(seed, "view", position),
                draw.point,
            )
            for picture, labels in pairs
        )
        return target, came

    def _classes(self, train: Tensor) -> Tensor:
        return train.masked_fill(train == IGNORE_TRAIN_ID, self.space.num_train)

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts of the labels, "ignored" among the classes; float64 [K]."""
        return self.criterion.counts(batch["label"], batch["weight"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion of the refined labels, all pixels inside the image valid; a scalar."""
        if self._features is None:
            raise ValueError("a copy of the task in a loading process has no segmentation model")
        height, width = batch["label"].shape[-2:]
        size = (max(1, height // 4), max(1, width // 4))
        features = self._features(batch["image"], batch["places"], batch["scale"], size)
        logits = trainable(batch["carried"], batch["warped"], batch["image"], features)
        return self.criterion({"main": logits}, batch["label"], counts, batch["weight"], epoch)

    def validate(self, device: torch.device) -> dict[str, float] | None:
        """Scores of the network as it is; None without held-out data."""
        return None if self.held_out is None else self.held_out.scores(self.network, device)

    def metadata(self) -> dict[str, Any]:
        """What ``load_refiner`` needs."""
        pairs = {**asdict(self.recipe.pairs), "keyframe_share": self.recipe.keyframe_share, "motion": self.motion}
        return refiner_metadata(self.network_values, self.space, pairs, self._model_identity)

    def fingerprint(self) -> str:
        """Of data, network, recipe (without the fit settings), segmentation model and held-out data."""
        names = [entry.name for entry in fields(RefinementRecipe) if entry.name != "fit"]
        recipe = {name: value for name, value in asdict(self.recipe).items() if name in names}
        checked = None if self.held_out is None else self.held_out.fingerprint()
        data = (self.returns.fingerprint(), self.network_values, self.space.train_names)
        return fingerprint_values(*data, recipe, self._model_identity, checked)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_features": None, "held_out": None, "_kept": ArrayCache(self._limit)}
