"""Training on coarsely labelled real images and synthetic ones: mixed images, sharp boundaries (Das et al. 2023).

"Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.1 and algorithm 1, step 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.seeding import numpy_generator
from seglift.labels.space import LabelSpace
from seglift.losses.boundary import BoundaryLoss
from seglift.losses.pixels import is_number, require
from seglift.models.network import SegmentationNetwork
from seglift.training.crossmix import CrossMix
from seglift.training.image_task import HeldOut
from seglift.training.images.augmentation import View, random_view
from seglift.training.images.color_match import match_colors
from seglift.training.images.sample import Sample
from seglift.training.images.sample_cache import SampleCache
from seglift.training.loop.task import Batch, Part
from seglift.training.sampling.image_draws import ImageDraws
from seglift.training.segmentation import SegmentationRecipe, SegmentationTask


@dataclass(frozen=True)
class CoarseToFineRecipe(SegmentationRecipe):
    """How to train a segmentation network on coarse and synthetic labels.

    Raises:
        UserError: impossible values.
    """

    mix: CrossMix = field(default_factory=CrossMix)
    """How synthetic objects get into real views."""
    boundary: BoundaryLoss = field(default_factory=BoundaryLoss)
    """What is minimised beside ``loss``, on purely synthetic views."""
    boundary_weight: float = 1.0
    """Its weight (Das et al. give none); 0 does without."""
    match_colors: float = 0.0
    """Probability of each synthetic view, also of those to be mixed, to get the colours of a random real view (mean and
    spread of each channel), 0..1; Das et al. do without."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        super().__post_init__()
        require(is_number(self.boundary_weight, 0, 1e6), "boundary_weight", self.boundary_weight, "a number >= 0")
        require(is_number(self.match_colors, 0, 1), "match_colors", self.match_colors, "0..1")


class CoarseToFineTask(SegmentationTask):
    """``loss`` on all views, mixed ones included, and the boundary loss on the purely synthetic ones.

    Args:
        samples: coarsely labelled real images and synthetic ones.
        space: label space of all labels.
        recipe: how to train.
        synthetic: numbers of the samples that are synthetic.
        start: as for the base; the same goes for the following.
        content: as there.
        draws: as there.
        validation: as there.
        pool: synthetic images that mixed views take classes from; None takes the synthetic samples.
        pool_content: fingerprint of the pool; computed from its pixels when None.

    Raises:
        UserError: as the base; no synthetic sample, or no other; an empty pool.
    """

    recipe_kind = CoarseToFineRecipe
    recipe: CoarseToFineRecipe

    def __init__(
        self,
        samples: Sequence[Sample],
        space: LabelSpace,
        recipe: CoarseToFineRecipe,
        synthetic: Sequence[int],
        start: dict[str, Tensor] | None = None,
        content: str | None = None,
        draws: ImageDraws | None = None,
        validation: HeldOut[SegmentationNetwork] | None = None,
        pool: Sequence[Sample] | None = None,
        pool_content: str | None = None,
    ) -> None:
        super().__init__(samples, space, recipe, start, content, draws, validation)
        self.synthetic = np.array(sorted(set(synthetic)), np.int64)
        if not 0 < len(self.synthetic) < len(samples):
            raise UserError(
                f"{len(self.synthetic)} of {len(samples)} training images are synthetic, expected some and some real"
                " ones; say which sources are synthetic"
            )
        self._is_synthetic = np.zeros(len(samples), bool)
        self._is_synthetic[self.synthetic] = True
        self._real = np.flatnonzero(~self._is_synthetic)
        self._pool = None if pool is None else _Pool(pool, recipe, pool_content)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """As the base's, with mixed views; ``synthetic`` bool [B], the purely synthetic ones."""
        first = step * self.recipe.batch
        positions = [first + number for number in part.share(self.recipe.batch)]
        synthetic = [bool(self._is_synthetic[self.draws.draw(position)[0]]) for position in positions]
        generators = [numpy_generator(seed, "mix", position) for position in positions]
        views, pure = self.recipe.mix(self.views(seed, step, part), synthetic, self._synthetic_view, generators)
        return {**self.stacked(views), "synthetic": torch.tensor(pure)}

    def _view(self, seed: int, position: int) -> View:
        """As the base's, in real colours where that is drawn for a synthetic image."""
        view = super()._view(seed, position)
        if not self._is_synthetic[self.draws.draw(position)[0]]:
            return view
        return self._recolored(view, numpy_generator(seed, "colors", position))

    def _synthetic_view(self, generator: np.random.Generator) -> View:
        """A view of a synthetic image of the pool, each as likely."""
        if self._pool is None:
            sample = self.sample(int(self.synthetic[generator.integers(len(self.synthetic))]))
        else:
            sample = self._pool.draw(generator)
        return self._recolored(self._random_view(sample, generator), generator)

    def _recolored(self, view: View, generator: np.random.Generator) -> View:
        """A synthetic view, with ``match_colors`` as likely in the colours of a random real one."""
        if not self.recipe.match_colors or generator.random() >= self.recipe.match_colors:
            return view
        sample = self.sample(int(self._real[generator.integers(len(self._real))]))
        return replace(view, image=match_colors(view.image, self._random_view(sample, generator).image))

    def _random_view(self, sample: Sample, generator: np.random.Generator) -> View:
        return random_view(sample, self.recipe.crop, self.recipe.augmentation, generator)

    def counts(self, batch: Batch) -> Tensor:
        """The criterion's counts, then the two of the boundary loss; float64 [K]."""
        counts = super().counts(batch)
        if not self.recipe.boundary_weight:
            return counts
        classes, label = self.space.num_train, batch["label"]
        return torch.cat((counts, self.recipe.boundary.counts(label, classes, batch["synthetic"])))

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """The criterion, weighted by pixel, and ``boundary_weight`` times the boundary loss; a scalar."""
        outputs, label, weight = trainable(batch["image"]), batch["label"], batch["weight"]
        if not self.recipe.boundary_weight:
            return self.criterion(outputs, label, counts, weight, epoch)
        loss = self.criterion(outputs, label, counts[:-2], weight, epoch)
        boundary = self.recipe.boundary(outputs["main"], label, batch["synthetic"], counts=counts[-2:])
        return loss + self.recipe.boundary_weight * boundary

    def fingerprint(self) -> str:
        """The base's, which samples are synthetic, and the pool."""
        pool = () if self._pool is None else (self._pool.content,)
        return fingerprint_values(super().fingerprint(), self.synthetic.tolist(), *pool)


class _Pool:
    """Synthetic images that are drawn to be mixed, at their size for training."""

    def __init__(self, samples: Sequence[Sample], recipe: CoarseToFineRecipe, content: str | None) -> None:
        if not len(samples):
            raise UserError("the pool of synthetic images to mix is empty, expected at least one image; give some")
        self.count = len(samples)
        self.content = content or fingerprint_values([sample.fingerprint() for sample in samples])
        self._small = SampleCache(samples, recipe.short_side, processes=max(1, recipe.fit.workers))

    def draw(self, generator: np.random.Generator) -> Sample:
        """One of them, each as likely."""
        return self._small[int(generator.integers(self.count))]
