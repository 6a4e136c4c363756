"""Training a semantic segmentation network on labelled images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.inference.checkpoint import segmentation_metadata
from seglift.labels.space import LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.models.compact_unet import CompactUNet
from seglift.models.network import SegmentationNetwork
from seglift.models.zoo import build
from seglift.training.images.augmentation import AugmentationConfig, View, random_view
from seglift.training.images.sample import Sample, shrunk_point
from seglift.training.images.sample_cache import SampleCache
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.run_files import FitResult
from seglift.training.loop.task import Batch, Part
from seglift.training.sampling.class_points import ClassPoints
from seglift.training.sampling.image_draws import ClipDraws, ImageDraws
from seglift.training.segmentation_validation import Validation


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
    """Crops in each step, over all processes and accumulated parts."""
    loss: CriterionConfig = field(default_factory=CriterionConfig)
    """What is minimised."""
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
    """Batches of random views of labelled images, a criterion on their train ids.

    Args:
        samples: labelled images; fetched one at a time, so a lazy sequence may read files.
        space: label space of the labels.
        recipe: how to train.
        start: weights to start from (tensors by name, for the same network), or None for random ones.
        content: fingerprint of the samples; computed from their pixels when None.
        draws: which images are shown when; None draws each on its own, ``recipe.balanced`` of them around a class.
        validation: what the best weights are chosen by; None keeps the last.

    Raises:
        UserError: no samples, no labelled pixel in any of them, or a loss whose settings do not fit the classes.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: SegmentationRecipe,
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
        draws: ImageDraws | None = None,
        validation: Validation | None = None,
    ) -> None:
        if len(samples) == 0:
            raise UserError("no labelled images to train on, expected at least one; label a keyframe")
        self.samples, self.space, self.recipe = samples, space, recipe
        self._small = SampleCache(samples, recipe.short_side, processes=max(1, recipe.fit.workers))
        self.network_values = recipe.network.resolved(space.num_train)
        # In this layout convolutions are about twice as fast on a CPU, and mixed precision is on a GPU.
        self.network = build(self.network_values, seed=recipe.fit.seed).to(memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict(start)
            if isinstance(self.network, CompactUNet):
                self.network.log_prior.zero_()  # of the balance of another training
        self._started_from = None if start is None else _fingerprint_tensors(start)
        self._content = content or fingerprint_values([sample.fingerprint() for sample in samples])
        self.draws, self.validation = draws or self._clip_draws(), validation
        self.class_weights = self._balance() if recipe.class_balance > 0 else None
        self.criterion = recipe.loss.build(self.class_weights, space.num_train)

    def _clip_draws(self) -> ClipDraws:
        seed = self.recipe.fit.seed
        labels = (self.sample(number).label for number in range(len(self.samples)))
        points = ClassPoints(labels, numpy_generator(seed, "class points"))
        if not points.classes:
            raise UserError(
                f"no pixel of the {len(self.samples)} labels is of an evaluated class of {self.space.name}, expected"
                " some; check the label space"
            )
        return ClipDraws(points, self.recipe.balanced, seed)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def _balance(self) -> Tensor:
        """Weights of the classes, float32 [C], mean 1 over the labelled pixels; 0 for classes that do not occur."""
        counts = torch.from_numpy(self.draws.class_pixels(self.space.num_train)).double()
        frequency = counts / counts.sum().clamp_min(1)
        power = self.recipe.class_balance
        weights = torch.where(frequency > 0, frequency.clamp_min(1e-4) ** -power, torch.zeros_like(frequency))
        if isinstance(self.network, CompactUNet):
            self.network.undo_balance(frequency.float(), power)
        return (weights / (frequency * weights).sum().clamp_min(1e-12)).float()

    def sample(self, number: int) -> Sample:
        """Sample ``number`` at its size for training."""
        return self._small[number]

    def trainable(self) -> nn.Module:
        """The network's outputs by name, for images [B, 3 or 5, h, w]."""
        return Outputs(self.network)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the draws of an epoch are shown."""
        return math.ceil(self.draws.epoch_size / self.recipe.batch)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``image`` float32 [B, 3 or 5, h, w] 0..1, ``label`` uint8 [B, h, w], ``weight`` float32 [B, h, w]."""
        first = step * self.recipe.batch
        views = [self._view(seed, first + number) for number in part.share(self.recipe.batch)]
        return {
            "image": torch.stack([self._input(view) for view in views]),
            "label": torch.stack([view.label for view in views]),
            "weight": torch.stack([view.weight for view in views]),
        }

    def _view(self, seed: int, position: int) -> View:
        """What draw ``position`` of the training shows."""
        number, point = self.draws.draw(position)
        sample, generator = self.sample(number), numpy_generator(seed, "view", position)
        if point is not None:
            point = shrunk_point(point, sample)
        return random_view(sample, self.recipe.crop, self.recipe.augmentation, generator, point)

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts of the labels, weighted by pixel; float64 [K]."""
        return self.criterion.counts(batch["label"], batch["weight"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion, weighted by pixel; a scalar."""
        return self.criterion(trainable(batch["image"]), batch["label"], counts, batch["weight"], epoch)

    def validate(self, device: torch.device) -> dict[str, float] | None:
        """Scores of the network as it is, by :class:`Validation`; None without one."""
        if self.validation is None:
            return None
        return self.validation.scores(self.network, self.space.train_names, self.recipe.short_side, device)

    def _input(self, view: View) -> Tensor:
        if self.network.wants_places:
            return torch.cat((view.image, view.places))
        return view.image

    def metadata(self) -> dict[str, Any]:
        """What ``load_checkpoint`` needs."""
        return segmentation_metadata(
            self.network_values, self.space.name, self.space.train_names, self.recipe.short_side
        )

    def fingerprint(self) -> str:
        """Of data, draws, space, recipe (without the fit settings), starting weights and validation."""
        names = [entry.name for entry in fields(SegmentationRecipe) if entry.name != "fit"]
        recipe = {name: value for name, value in asdict(self.recipe).items() if name in names}
        checked = None if self.validation is None else self.validation.fingerprint()
        parts = (self._content, self.draws.fingerprint(), recipe, self._started_from, checked)
        return fingerprint_values(self.space.train_names, *parts)


class Outputs(nn.Module):
    """What training looks at of a network: images to logits by name."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """See :meth:`SegmentationNetwork.outputs`."""
        return self.network.outputs(images.contiguous(memory_format=torch.channels_last))


def train_segmentation(
    samples: Sequence[Sample],
    space: LabelSpace,
    recipe: SegmentationRecipe,
    out: Path,
    device: str = "cpu",
    quiet: bool = False,
    start: dict[str, Tensor] | None = None,
) -> FitResult:
    """Trains a segmentation network, from the weights ``start`` if given; ``load_checkpoint(out, space)`` loads it.

    Resumes a killed run of the same data and recipe in ``out``; see :func:`seglift.training.loop.fit.fit`.
    """
    task = SegmentationTask(samples, space, recipe, start)
    return fit(task, recipe.fit, out, device, quiet)


def _fingerprint_tensors(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
