"""What trainings on labelled images have in common, whatever the network is to say of them: draws, views, weights."""

from __future__ import annotations

import abc
import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.inference.checkpoint import segmentation_metadata
from seglift.labels.space import LabelSpace
from seglift.models.compact_unet import CompactUNet
from seglift.models.network import SegmentationNetwork
from seglift.training.images.augmentation import AugmentationConfig, View, random_view
from seglift.training.images.sample import Sample, shrunk_point
from seglift.training.images.sample_cache import SampleCache
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.sampling.class_points import ClassPoints
from seglift.training.sampling.image_draws import ClipDraws, ImageDraws


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
class ImageRecipe:
    """How to train a network on labelled images; what is minimised comes with what it is to say."""

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
    balanced: float = 0.5
    """Share of crops drawn around a class chosen uniformly, 0..1."""
    class_balance: float = 0.0
    """Weight of a class in the loss is its frequency to the power of minus this, 0..1; ``compact_unet`` and
    ``compact_panoptic`` undo it in evaluation, other networks keep the balance."""
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


Network = TypeVar("Network", bound=SegmentationNetwork)
Judged_contra = TypeVar("Judged_contra", bound=SegmentationNetwork, contravariant=True)
Recipe = TypeVar("Recipe", bound=ImageRecipe)


class HeldOut(Protocol[Judged_contra]):
    """What the best weights are chosen by."""

    def scores(
        self, network: Judged_contra, classes: tuple[str, ...], short_side: int | None, device: torch.device
    ) -> dict[str, float]:
        """Scores of the network as it is, the one that decides first; the higher, the better."""

    def fingerprint(self) -> str:
        """Of images, labels and settings."""


class ImageTask(abc.ABC, Generic[Network, Recipe]):
    """Batches of random views of labelled images for a network; a subclass says what is minimised.

    Args:
        samples: labelled images; fetched one at a time, so a lazy sequence may read files.
        space: label space of the labels.
        recipe: how to train.
        start: weights to start from (tensors by name, for the same network), or None for random ones.
        content: fingerprint of the samples; computed from their pixels when None.
        draws: which images are shown when; None draws each on its own, ``recipe.balanced`` of them around a class.
        validation: what the best weights are chosen by; None keeps the last.

    Attributes:
        network: initial weights in place.
        class_weights: float32 [C], of the balanced loss; None where it is not.

    Raises:
        UserError: no samples, no labelled pixel in any of them, or a loss whose settings do not fit the classes.
    """

    recipe_kind: ClassVar[type[ImageRecipe]]
    """Whose settings shape the weights, but for those of ``fit``."""

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: Recipe,
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
        draws: ImageDraws | None = None,
        validation: HeldOut[Network] | None = None,
    ) -> None:
        if len(samples) == 0:
            raise UserError("no labelled images to train on, expected at least one; label a keyframe")
        self.samples, self.space, self.recipe = samples, space, recipe
        self._small = SampleCache(samples, recipe.short_side, processes=max(1, recipe.fit.workers))
        self.network_values = recipe.network.resolved(space.num_train)
        # In this layout convolutions are about twice as fast on a CPU, and mixed precision is on a GPU.
        self.network: Network = self.build().to(memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict(start)
            if isinstance(self.network, CompactUNet):
                self.network.keep_balance()  # what was to be undone was that of another training
        self._started_from = None if start is None else _fingerprint_tensors(start)
        self._content = content or fingerprint_values([sample.fingerprint() for sample in samples])
        self.draws, self.validation = draws or self._clip_draws(), validation
        self.class_weights = self._balance() if recipe.class_balance > 0 else None

    @abc.abstractmethod
    def build(self) -> Network:
        """The network of ``network_values``, with weights drawn from the recipe's seed."""

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

    @abc.abstractmethod
    def trainable(self) -> nn.Module:
        """What training looks at of the network: images [B, 3 or 5, h, w] to outputs by name."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the draws of an epoch are shown."""
        return math.ceil(self.draws.epoch_size / self.recipe.batch)

    def views(self, seed: int, step: int, part: Part) -> list[View]:
        """The views that ``part`` of the batch of ``step`` shows."""
        first = step * self.recipe.batch
        return [self._view(seed, first + number) for number in part.share(self.recipe.batch)]

    def images(self, views: Sequence[View]) -> Tensor:
        """What the network is shown of them, float32 [B, 3 or 5, h, w] in 0..1, with places where it wants them."""
        wants_places = self.network.wants_places
        return torch.stack([torch.cat((view.image, view.places)) if wants_places else view.image for view in views])

    @abc.abstractmethod
    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """See :meth:`Task.batch`."""

    def _view(self, seed: int, position: int) -> View:
        """What draw ``position`` of the training shows."""
        number, point = self.draws.draw(position)
        sample, generator = self.sample(number), numpy_generator(seed, "view", position)
        if point is not None:
            point = shrunk_point(point, sample)
        return random_view(sample, self.recipe.crop, self.recipe.augmentation, generator, point)

    @abc.abstractmethod
    def counts(self, batch: Batch) -> Tensor:
        """See :meth:`Task.counts`."""

    @abc.abstractmethod
    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """See :meth:`Task.loss`."""

    def validate(self, device: torch.device) -> dict[str, float] | None:
        """Scores of the network as it is, by ``validation``; None without one."""
        if self.validation is None:
            return None
        return self.validation.scores(self.network, self.space.train_names, self.recipe.short_side, device)

    def metadata(self) -> dict[str, Any]:
        """What ``load_checkpoint`` needs."""
        return segmentation_metadata(
            self.network_values, self.space.name, self.space.train_names, self.recipe.short_side
        )

    def fingerprint(self) -> str:
        """Of data, draws, space, recipe (without the fit settings), starting weights and validation."""
        names = [entry.name for entry in fields(self.recipe_kind) if entry.name != "fit"]
        recipe = {name: value for name, value in asdict(self.recipe).items() if name in names}
        checked = None if self.validation is None else self.validation.fingerprint()
        parts = (self._content, self.draws.fingerprint(), recipe, self._started_from, checked)
        return fingerprint_values(self.space.train_names, *parts)


def _fingerprint_tensors(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
