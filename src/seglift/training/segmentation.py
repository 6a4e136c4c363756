"""Training a semantic segmentation network on labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from seglift.labels.space import LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.models.network import SegmentationNetwork
from seglift.models.zoo import build
from seglift.training.image_task import HeldOut, ImageRecipe, ImageTask, NetworkConfig
from seglift.training.images.augmentation import View
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.run_files import FitResult
from seglift.training.loop.task import Batch, Part
from seglift.training.sampling.image_draws import ImageDraws

__all__ = ["NetworkConfig", "Outputs", "SegmentationRecipe", "SegmentationTask", "train_segmentation"]


@dataclass(frozen=True)
class SegmentationRecipe(ImageRecipe):
    """How to train a segmentation network."""

    loss: CriterionConfig = field(default_factory=CriterionConfig)
    """What is minimised."""


class SegmentationTask(ImageTask[SegmentationNetwork, SegmentationRecipe]):
    """Batches of random views of labelled images, a criterion on their train ids; arguments as for the base."""

    recipe_kind = SegmentationRecipe

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: SegmentationRecipe,
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
        draws: ImageDraws | None = None,
        validation: HeldOut[SegmentationNetwork] | None = None,
    ) -> None:
        super().__init__(samples, space, recipe, start, content, draws, validation)
        self.criterion = recipe.loss.build(self.class_weights, space.num_train)

    def build(self) -> SegmentationNetwork:
        """See :meth:`ImageTask.build`."""
        return build(self.network_values, seed=self.recipe.fit.seed)

    def trainable(self) -> nn.Module:
        """The network's outputs by name, for images [B, 3 or 5, h, w]."""
        return Outputs(self.network)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``image`` float32 [B, 3 or 5, h, w] 0..1, ``label`` uint8 [B, h, w], ``weight`` float32 [B, h, w]."""
        return self.stacked(self.views(seed, step, part))

    def stacked(self, views: Sequence[View]) -> Batch:
        """Views as a batch, see :meth:`batch`."""
        return {
            "image": self.images(views),
            "label": torch.stack([view.label for view in views]),
            "weight": torch.stack([view.weight for view in views]),
        }

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts of the labels, weighted by pixel; float64 [K]."""
        return self.criterion.counts(batch["label"], batch["weight"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion, weighted by pixel; a scalar."""
        return self.criterion(trainable(batch["image"]), batch["label"], counts, batch["weight"], epoch)


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
