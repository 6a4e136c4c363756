"""Training a semantic segmentation network on labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.inference.checkpoint import segmentation_metadata
from seglift.labels.space import LabelSpace
from seglift.losses.cross_entropy import cross_entropy
from seglift.models.compact_unet import CompactUNet
from seglift.models.network import SegmentationNetwork
from seglift.models.zoo import build
from seglift.training.augmentation import AugmentationConfig, View, random_view
from seglift.training.class_points import ClassPoints
from seglift.training.fit import FitResult, fit
from seglift.training.fit_config import FitConfig
from seglift.training.sample import Sample
from seglift.training.sample_cache import SampleCache
from seglift.training.task import Batch


@dataclass(frozen=True)
class NetworkConfig:
    """A network by name; the number of classes follows from the label space."""

    architecture: str = "compact_deeplab"
    """Name of a network of the zoo."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of its constructor that differ from their defaults."""

    def resolved(self, num_classes: int) -> dict[str, Any]:
        """The plain values that ``zoo.build`` takes."""
        return {"architecture": self.architecture, "arguments": {**self.arguments, "num_classes": num_classes}}


@dataclass(frozen=True)
class SegmentationRecipe:
    """How to train a segmentation network."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network."""
    fit: FitConfig = field(default_factory=lambda: FitConfig(average=0.98))
    """Length, optimiser, seed."""
    augmentation: AugmentationConfig = field(default_factory=lambda: AugmentationConfig(jitter=0.2, blur=None))
    """How views vary."""
    crop: tuple[int, int] = (256, 320)
    """Height and width of the crops, pixels."""
    batch: int = 4
    """Crops in each step."""
    balanced: float = 0.5
    """Share of crops drawn around a class chosen uniformly, 0..1."""
    class_balance: float = 0.0
    """Weight of a class in the loss is its frequency to the power of minus this, 0..1; ``compact_unet`` undoes it in
    evaluation, other networks keep the balance."""
    short_side: int | None = 384
    """Images with a longer short side are shrunk to it, in training and in inference; none keeps every size."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        rules = {
            "crop": (min(self.crop) >= 16, "at least 16 x 16"),
            "batch": (self.batch >= 1, "at least 1"),
            "balanced": (0 <= self.balanced <= 1, "0..1"),
            "class_balance": (0 <= self.class_balance <= 1, "0..1"),
            "short_side": (self.short_side is None or self.short_side >= 16, "at least 16, or none"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")


class SegmentationTask:
    """Batches of random views of labelled images, cross-entropy on their train ids.

    Args:
        samples: labelled images; fetched one at a time, so a lazy sequence may read files.
        space: label space of the labels.
        recipe: how to train.
        start: weights to start from (tensors by name, for the same network), or None for random ones.
        content: fingerprint of the samples; computed from their pixels when None.

    Raises:
        UserError: no samples, or no labelled pixel in any of them.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: SegmentationRecipe,
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
    ) -> None:
        if len(samples) == 0:
            raise UserError("no labelled images to train on, expected at least one; label a keyframe")
        self.samples, self.space, self.recipe = samples, space, recipe
        self._small = SampleCache(samples, recipe.short_side)
        self.network_values = recipe.network.resolved(space.num_train)
        self.network: SegmentationNetwork = build(self.network_values, seed=recipe.fit.seed)
        if start is not None:
            self.network.load_state_dict(start)
        self.class_weights = self._balance() if recipe.class_balance > 0 else None
        self._started_from = None if start is None else _fingerprint_tensors(start)
        self._content = content or fingerprint_values([sample.fingerprint() for sample in samples])
        generator = numpy_generator(recipe.fit.seed, "class points")
        self.points = ClassPoints((self.sample(n).label for n in range(len(samples))), generator)
        if not self.points.classes:
            raise UserError(
                f"no pixel of the {len(samples)} labels is of an evaluated class of {space.name}, expected some;"
                " check the label space"
            )

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def _balance(self) -> Tensor:
        """Weights of the classes, float32 [C], mean 1 over the labelled pixels; 0 for classes that do not occur."""
        counts = torch.zeros(self.space.num_train, dtype=torch.float64)
        for number in range(len(self.samples)):
            counts += torch.from_numpy(np.bincount(self.sample(number).label.ravel(), minlength=256)[: len(counts)])
        frequency = counts / counts.sum().clamp_min(1)
        power = self.recipe.class_balance
        weights = torch.where(frequency > 0, frequency.clamp_min(1e-4) ** -power, torch.zeros_like(frequency))
        if isinstance(self.network, CompactUNet):
            self.network.undo_balance(frequency.float(), power)
        return (weights / (frequency * weights).sum().clamp_min(1e-12)).float()

    def sample(self, number: int) -> Sample:
        """Sample ``number`` at its size for training."""
        return self._small[number]

    def batch(self, seed: int, step: int) -> Batch:
        """``image`` float32 [B, 3, h, w] 0..1, ``label`` uint8 [B, h, w], ``weight`` float32 [B, h, w]."""
        generator = numpy_generator(seed, "batch", step)
        views = []
        for _ in range(self.recipe.batch):
            draw = self.points.draw(generator, self.recipe.balanced)
            sample = self.sample(draw.sample)
            views.append(random_view(sample, self.recipe.crop, self.recipe.augmentation, generator, draw.point))
        return {
            "image": torch.stack([self._input(view) for view in views]),
            "label": torch.stack([view.label for view in views]),
            "weight": torch.stack([view.weight for view in views]),
        }

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy, weighted by pixel; a scalar."""
        logits = module(batch["image"])
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        return cross_entropy(logits, batch["label"], weights, batch["weight"])

    def _input(self, view: View) -> Tensor:
        if isinstance(self.network, CompactUNet):
            return torch.cat((view.image, view.places))
        return view.image

    def metadata(self) -> dict[str, Any]:
        """What ``load_checkpoint`` needs."""
        return segmentation_metadata(
            self.network_values, self.space.name, self.space.train_names, self.recipe.short_side
        )

    def fingerprint(self) -> str:
        """Of data, space, recipe (without the fit settings) and starting weights."""
        recipe = {name: value for name, value in asdict(self.recipe).items() if name != "fit"}
        return fingerprint_values(self._content, self.space.train_names, recipe, self._started_from)


def train_segmentation(
    samples: Sequence[Sample],
    space: LabelSpace,
    recipe: SegmentationRecipe,
    out: Path,
    device: str = "cpu",
    quiet: bool = False,
) -> FitResult:
    """Trains a segmentation network; ``load_checkpoint(out, space)`` loads what it leaves.

    Resumes a killed run of the same data and recipe in ``out``; see :func:`seglift.training.fit.fit`.
    """
    task = SegmentationTask(samples, space, recipe)
    return fit(task, recipe.fit, out, device, quiet)


def _fingerprint_tensors(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
