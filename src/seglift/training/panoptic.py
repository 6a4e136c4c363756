"""Training a panoptic network on images whose classes are labelled, and on some of them the instances.

Cheng et al., "Panoptic-DeepLab" (CVPR 2020), section 3, as Naive-Student (Chen et al., ECCV 2020) trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.labels.space import LabelSpace
from seglift.losses.panoptic import PanopticCriterion, PanopticLossConfig
from seglift.losses.panoptic_targets import PanopticTargets
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.panoptic_output import PanopticOutput
from seglift.models.zoo import build_panoptic
from seglift.training.image_task import HeldOut, ImageRecipe, ImageTask, NetworkConfig
from seglift.training.images.augmentation import View
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.run_files import FitResult
from seglift.training.loop.task import Batch, Part
from seglift.training.sampling.image_draws import ImageDraws

TARGETS = tuple(entry.name for entry in fields(PanopticTargets))


@dataclass(frozen=True)
class PanopticRecipe(ImageRecipe):
    """How to train a panoptic network."""

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig("compact_panoptic"))
    """The network."""
    loss: PanopticLossConfig = field(default_factory=PanopticLossConfig)
    """Weights of the terms, and how targets are made of the crops."""


class PanopticTask(ImageTask[PanopticNetwork, PanopticRecipe]):
    """Batches of random views with the targets that their instances give; arguments as for the base.

    Targets are made of what a view shows: an instance that the crop cuts has its centre and area there. Samples
    without instances teach classes alone.

    Raises:
        UserError: as the base, or the label space has no things.
    """

    recipe_kind = PanopticRecipe

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: PanopticRecipe,
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
        draws: ImageDraws | None = None,
        validation: HeldOut[PanopticNetwork] | None = None,
    ) -> None:
        require_things(space)
        super().__init__(samples, space, recipe, start, content, draws, validation)
        self.criterion = PanopticCriterion(recipe.loss, self.class_weights)

    def build(self) -> PanopticNetwork:
        """See :meth:`ImageTask.build`."""
        return build_panoptic(self.network_values, seed=self.recipe.fit.seed)

    def trainable(self) -> nn.Module:
        """The network's three maps by name, for images [B, 3 or 5, h, w]."""
        return Maps(self.network)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``image`` float32 [B, 3 or 5, h, w] 0..1, ``weight`` float32 [B, h, w], and those of a PanopticTargets."""
        views = self.views(seed, step, part)
        label = torch.stack([view.label for view in views])
        number = torch.stack([_numbers(view) for view in views])
        known = torch.tensor([view.instances is not None for view in views])
        targets = self.recipe.loss.targets(label, number, self.space.thing_train_ids, known)
        weight = torch.stack([view.weight for view in views])
        return {"image": self.images(views), "weight": weight, **{name: getattr(targets, name) for name in TARGETS}}

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts of the targets, weighted by pixel; float64 [3]."""
        return self.criterion.counts(_targets(batch), batch["weight"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion, weighted by pixel; a scalar."""
        return self.criterion(PanopticOutput(**trainable(batch["image"])), _targets(batch), counts, batch["weight"])


class Maps(nn.Module):
    """What training looks at of a panoptic network: images to its three maps by name."""

    def __init__(self, network: PanopticNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``semantic`` [B, C, h, w], ``centre`` [B, 1, h, w] and ``offset`` [B, 2, h, w], see ``PanopticOutput``."""
        output = self.network.panoptic(images.contiguous(memory_format=torch.channels_last))
        return {"semantic": output.semantic, "centre": output.centre, "offset": output.offset}


def train_panoptic(
    samples: Sequence[Sample],
    space: LabelSpace,
    recipe: PanopticRecipe,
    out: Path,
    device: str = "cpu",
    quiet: bool = False,
    start: dict[str, Tensor] | None = None,
) -> FitResult:
    """Trains a panoptic network, from the weights ``start`` if given; ``load_checkpoint(out, space)`` loads it.

    Resumes a killed run of the same data and recipe in ``out``; see :func:`seglift.training.loop.fit.fit`.

    Raises:
        UserError: as :class:`PanopticTask` and ``fit``.
    """
    return fit(PanopticTask(samples, space, recipe, start), recipe.fit, out, device, quiet)


def require_things(space: LabelSpace) -> None:
    """Refuses, with a UserError, a label space in which no instances are told apart."""
    if not space.thing_train_ids:
        raise UserError(
            f"the label space {space.name} has no things, expected classes whose instances are told apart; say"
            " thing: true of them in its file, or train with kind: segmentation"
        )


def _numbers(view: View) -> Tensor:
    return torch.zeros_like(view.label, dtype=torch.int32) if view.instances is None else view.instances


def _targets(batch: Batch) -> PanopticTargets:
    return PanopticTargets(**{name: batch[name] for name in TARGETS})
