"""Training a denoiser on the few keyframes of one clip, each decided as if it were not labelled.

The setting of Warp-Refine (Ganeshan et al., ICCV 2021, section 3.3), with the true errors of the product's decisions in
place of cycles, and class probabilities in place of a decoder's features, since each keyframe is seen by a model that
has not learnt it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.inference.class_features import STRIDE
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.models.zoo import build_refiner
from seglift.propagation.refiner import CLASSES, refiner_metadata
from seglift.training.images.augmentation import AugmentationConfig, View, random_view
from seglift.training.images.sample import Sample
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.refinement import CACHE_BYTES, RefinerNetworkConfig
from seglift.training.refining.balance import class_weights
from seglift.training.refining.left_out import BOTH, Decision, LeftOut
from seglift.training.sampling.class_points import ClassPoints
from seglift.training.videos.array_cache import ArrayCache

TWO_SIDED_SHARE = 0.5
"""Share of views that show the decision of both neighbours, where there is one; the others show that of one alone."""


@dataclass(frozen=True)
class KeyframeRecipe:
    """How to train a refiner on a clip's keyframes."""

    fit: FitConfig
    """Length, optimiser, seed."""
    network: RefinerNetworkConfig = field(default_factory=RefinerNetworkConfig)
    """The network; it begins by giving its labels back."""
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(scale=(0.8, 1.25), jitter=0.2, hue=0.05, blur=None)
    )
    """How views vary: labels, decision and both pictures together."""
    crop: tuple[int, int] = (192, 256)
    """Height and width of the crops, pixels; multiples of 4."""
    batch: int = 4
    """Crops in each step."""
    balanced: float = 0.5
    """Share of crops drawn around a class chosen uniformly, 0..1."""
    class_balance: float = 0.0
    """Weight of a class in the loss is its frequency to the power of minus this, 0..1; that of "ignored" is 1 at
    most."""


class KeyframeTask:
    """Batches of random views of keyframes with what was decided of them; the human's labels should come out.

    Args:
        frames: the keyframes to learn from, their decisions made.
        space: label space of the labels.
        recipe: how to train.
        model: identifies the segmentation model whose probabilities the network will read.

    Attributes:
        class_weights: of the loss, float32 [C + 1], the last one that of "ignored".
    """

    def __init__(self, frames: Sequence[LeftOut], space: LabelSpace, recipe: KeyframeRecipe, model: str) -> None:
        self.frames, self.space, self.recipe, self._model = tuple(frames), space, recipe, model
        self.network_values = recipe.network.resolved(space.num_train, space.num_train)
        self.network = build_refiner(self.network_values, seed=recipe.fit.seed).to(memory_format=torch.channels_last)
        self._samples: ArrayCache[_Picture] = ArrayCache(CACHE_BYTES // 2)
        self._decisions: ArrayCache[Decision] = ArrayCache(CACHE_BYTES // 2)
        labels = (self._picture(number).sample.label for number in range(len(self.frames)))
        self.points = ClassPoints(labels, numpy_generator(recipe.fit.seed, "class points"))
        self.class_weights = class_weights(self.points.pixels, space.num_train, recipe.class_balance)
        self.class_weights[-1].clamp_(max=1.0)
        self.criterion = CriterionConfig("cross_entropy").build(self.class_weights, space.num_train + 1)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def trainable(self) -> nn.Module:
        """The network: labels [B, h, w], two images [B, 3, h, w] and probabilities to logits [B, C + 1, h, w]."""
        return self.network

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which as many crops are shown as there are keyframes."""
        return math.ceil(len(self.frames) / self.recipe.batch)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``image`` and ``warped`` float32 [B, 3, h, w] 0..1, ``label`` and ``carried`` uint8 [B, h, w] of 0..C (C =
        ignored), ``weight`` float32 [B, h, w], ``classes`` float32 [B, C, h / 4, w / 4] 0..1.
        """
        first = step * self.recipe.batch
        views = [self._view(seed, first + number) for number in part.share(self.recipe.batch)]
        return {
            "image": torch.stack([target.image for target, _, _ in views]),
            "warped": torch.stack([came.image for _, came, _ in views]),
            "label": torch.stack([self._known(target.label) for target, _, _ in views]),
            "carried": torch.stack([self._known(came.label) for _, came, _ in views]),
            "weight": torch.stack([target.weight for target, _, _ in views]),
            "classes": torch.stack([classes for _, _, classes in views]),
        }

    def _view(self, seed: int, position: int) -> tuple[View, View, Tensor]:
        """The same view of the keyframe with its labels, of the decision with the carried picture, of the classes."""
        generator = numpy_generator(seed, "draw", position)
        number, point = self.points.draw(generator, self.recipe.balanced)
        side = self._draw_side(self.frames[number], generator)
        picture = self._picture(number).sample
        decision = self._decisions.get((number, side), lambda: self.frames[number].read(side))
        carried = self.space.to_train(decision.labels[0].numpy())
        warped = np.ascontiguousarray(decision.warped[0].permute(1, 2, 0).numpy())
        inside = np.ones(carried.shape, np.float32)  # weighs 0 where a view reaches outside
        target, came = (
            random_view(
                Sample(image, labels, inside),
                self.recipe.crop,
                self.recipe.augmentation,
                numpy_generator(seed, "view", position),
                point,
            )
            for image, labels in ((picture.image, picture.label), (warped, carried))
        )
        return target, came, view_classes(decision.classes, target.places, carried.shape)

    def _draw_side(self, frame: LeftOut, generator: np.random.Generator) -> str:
        alone = [side for side in frame.sides if side != BOTH]
        two_sided = generator.random() < TWO_SIDED_SHARE
        if BOTH in frame.sides and two_sided:
            return BOTH
        return alone[int(generator.integers(len(alone)))]

    def _picture(self, number: int) -> _Picture:
        return self._samples.get(number, lambda: _Picture(self.frames[number].sample()))

    def _known(self, train: Tensor) -> Tensor:
        return train.masked_fill(train == IGNORE_TRAIN_ID, self.space.num_train)

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts of the labels, "ignored" among the classes; float64 [K]."""
        return self.criterion.counts(batch["label"], batch["weight"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion of the refined labels; a scalar."""
        logits = trainable(batch["carried"], batch["warped"], batch["image"], batch["classes"])
        return self.criterion({"main": logits}, batch["label"], counts, batch["weight"], epoch)

    def validate(self, device: torch.device) -> None:
        """Nothing to choose the best weights by: what is held out judges the last ones."""

    def metadata(self) -> dict[str, Any]:
        """What ``load_refiner`` needs."""
        return refiner_metadata(self.network_values, self.space, {"kind": "left out"}, self._model, CLASSES)

    def fingerprint(self) -> str:
        """Of keyframes, decisions, recipe (without the fit settings) and segmentation model."""
        names = [entry.name for entry in fields(KeyframeRecipe) if entry.name != "fit"]
        recipe = {name: value for name, value in asdict(self.recipe).items() if name in names}
        data = [[frame.index, frame.sample().fingerprint(), *frame.fingerprint()] for frame in self.frames]
        return fingerprint_values(data, self.network_values, self.space.train_names, recipe, self._model)


@dataclass(frozen=True)
class _Picture:
    """A sample that can be kept in a cache of a known size."""

    sample: Sample

    @property
    def nbytes(self) -> int:
        return self.sample.image.nbytes + self.sample.label.nbytes


def view_classes(classes: Tensor, places: Tensor, size: tuple[int, ...]) -> Tensor:
    """The part of a map of probabilities that a view shows.

    Args:
        classes: uint8 ``[1, C, h', w']``, 0..255 = 0..1, of a whole image.
        places: of the view, float32 ``[2, h, w]``: x and y of each pixel in the whole image, -1..1 from the centre of
            the first pixel to that of the last; h and w multiples of 4.
        size: height and width of the whole image.

    Returns:
        float32 ``[C, h / 4, w / 4]``, the border repeated outside.
    """
    lengths = torch.tensor([size[1], size[0]], dtype=torch.float32).view(1, 2, 1, 1)
    centres = F.avg_pool2d(places[None], STRIDE)
    grid = ((centres + 1.0) * (lengths - 1.0) + 1.0) / lengths - 1.0  # -1..1 from edge to edge
    seen = F.grid_sample(
        classes.float().div_(255.0), grid.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )
    return seen[0]
