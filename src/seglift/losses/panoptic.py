"""What a panoptic network's training minimises: cross-entropy, squared error of heatmaps, absolute error of offsets.

Cheng et al., "Panoptic-DeepLab" (CVPR 2020), section 3.1, with the weights of its release; so trained is Naive-Student
(Chen et al., ECCV 2020), which gives no weights of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seglift.losses.ohem import HardestPixels
from seglift.losses.panoptic_targets import PanopticTargets, panoptic_targets
from seglift.losses.pixels import ClassWeights, divide, full_precision, is_number, require

TERMS = ("semantic", "centre", "offset")
"""What :meth:`PanopticCriterion.counts` counts."""


class PanopticMaps(Protocol):
    """What a panoptic network says, as its ``PanopticOutput`` does."""

    @property
    def semantic(self) -> Tensor:
        """Logits float [B, C, H, W]."""

    @property
    def centre(self) -> Tensor:
        """Heatmap float [B, 1, H, W]."""

    @property
    def offset(self) -> Tensor:
        """Rows and columns to the centre, float [B, 2, H, W], pixels."""


@dataclass(frozen=True)
class PanopticLossConfig:
    """Weights of the terms and how targets are made, by default as Panoptic-DeepLab was trained at 2048 x 1024.

    Raises:
        UserError: impossible values.
    """

    semantic: float = 1.0
    """Weight of the cross-entropy."""
    centre: float = 200.0
    """Weight of the squared error of the heatmap."""
    offset: float = 0.01
    """Weight of the absolute error of the offsets in pixels."""
    share: float = 0.2
    """Share of the pixels of each image, the hardest, that the cross-entropy is of; 1 takes all."""
    small_weight: float = 3.0
    """Weight of the classes on small instances; 1 treats them as all others."""
    small_area: int = 64 * 64
    """Pixels below which an instance is small, in the crop as the network sees it."""
    sigma: float = 8.0
    """Standard deviation of a centre in the heatmap, pixels."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        for name in ("semantic", "centre", "offset", "small_weight"):
            require(is_number(getattr(self, name), 0, 1e6), name, getattr(self, name), "a number of 0..1e6")
        require(is_number(self.share, 0, 1) and self.share > 0, "share", self.share, "a number above 0, to 1")
        require(is_number(self.small_area, 0), "small_area", self.small_area, "a number of pixels, at least 0")
        require(is_number(self.sigma, 0.1, 1000), "sigma", self.sigma, "a number of pixels, 0.1..1000")

    def targets(
        self, label: Tensor, number: Tensor, things: Sequence[int], known: Tensor | None = None
    ) -> PanopticTargets:
        """See :func:`~seglift.losses.panoptic_targets.panoptic_targets`."""
        return panoptic_targets(label, number, things, self.sigma, self.small_area, self.small_weight, known)


def centre_loss(
    centre: Tensor, targets: PanopticTargets, pixel_weights: Tensor | None = None, count: Tensor | None = None
) -> Tensor:
    """Mean squared error of the heatmap over all pixels but void and crowds.

    Args:
        centre: float [B, 1, H, W]; half precision is computed in float32.
        targets: of the same images.
        pixel_weights: float [B, H, W], >= 0, or None for all 1.
        count: what to divide by instead of the sum of the weights of the pixels that count.

    Returns:
        A scalar; 0 with a graph where no pixel counts.

    Raises:
        ValueError: another shape than that of the target.
    """
    error = _difference(centre, targets.centre, "heatmap [B,1,H,W]").square()
    return _mean(error[:, 0], targets.centre_mask, pixel_weights, count)


def offset_loss(
    offset: Tensor, targets: PanopticTargets, pixel_weights: Tensor | None = None, count: Tensor | None = None
) -> Tensor:
    """Mean absolute error of the offsets over the pixels of instances, pixels; the mean of rows and columns.

    Args:
        offset: float [B, 2, H, W]; half precision is computed in float32.
        targets: of the same images.
        pixel_weights: as for :func:`centre_loss`.
        count: as for :func:`centre_loss`.

    Returns:
        A scalar; 0 with a graph where no pixel counts.

    Raises:
        ValueError: another shape than that of the target.
    """
    error = _difference(offset, targets.offset, "offsets [B,2,H,W]").abs().mean(1)
    return _mean(error, targets.offset_mask, pixel_weights, count)


class PanopticCriterion:
    """``semantic * CE + centre * MSE + offset * L1``, each divided by the count of its own pixels.

    Counts of parts of a batch add up, and so do their losses when divided by the counts of the whole.

    Args:
        config: weights of the terms.
        class_weights: float [C], >= 0, of the cross-entropy; None for all 1.

    Raises:
        UserError: class weights that are none.
    """

    def __init__(self, config: PanopticLossConfig, class_weights: ClassWeights | None = None) -> None:
        self.config, self.semantic = config, HardestPixels(config.share, class_weights)

    def counts(self, targets: PanopticTargets, pixel_weights: Tensor | None = None) -> Tensor:
        """What each of :data:`TERMS` is divided by, from the targets alone; float64 [3]."""
        masks = (targets.centre_mask, targets.offset_mask)
        semantic = self.semantic.counts(targets.label, _times(targets.label_weight, pixel_weights))
        return torch.cat((semantic, *(_count(mask, pixel_weights)[None] for mask in masks)))

    def terms(
        self,
        output: PanopticMaps,
        targets: PanopticTargets,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The weighted loss of each of :data:`TERMS`, scalars; their sum is the loss.

        Args:
            output: of the network; half precision is computed in float32.
            targets: of the same images.
            counts: those of the whole batch that this one is a part of, or None if it is whole.
            pixel_weights: float [B, H, W], >= 0, or None for all 1.

        Raises:
            ValueError: shapes that do not fit together.
        """
        semantic, centre, offset = (
            self.counts(targets, pixel_weights) if counts is None else counts.to(targets.label.device)
        )
        weights = _times(targets.label_weight, pixel_weights)
        return {
            "semantic": self.config.semantic * self.semantic(output.semantic, targets.label, semantic[None], weights),
            "centre": self.config.centre * centre_loss(output.centre, targets, pixel_weights, centre),
            "offset": self.config.offset * offset_loss(output.offset, targets, pixel_weights, offset),
        }

    def __call__(
        self,
        output: PanopticMaps,
        targets: PanopticTargets,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
    ) -> Tensor:
        """The loss, a scalar: the sum of :meth:`terms`."""
        return torch.stack(list(self.terms(output, targets, counts, pixel_weights).values())).sum()


def _difference(prediction: Tensor, target: Tensor, expected: str) -> Tensor:
    if prediction.shape != target.shape:
        raise ValueError(f"{expected} of shape {tuple(target.shape)} expected, got {tuple(prediction.shape)}")
    return full_precision(prediction) - target


def _times(weights: Tensor, pixel_weights: Tensor | None) -> Tensor:
    return weights if pixel_weights is None else weights * pixel_weights


def _count(mask: Tensor, pixel_weights: Tensor | None) -> Tensor:
    """Sum of the weights of the pixels in ``mask`` [B, 1, H, W], a float64 scalar."""
    if pixel_weights is None:
        return torch.count_nonzero(mask).double()
    return (mask[:, 0] * pixel_weights.double()).sum()


def _mean(error: Tensor, mask: Tensor, pixel_weights: Tensor | None, count: Tensor | None) -> Tensor:
    """Weighted mean of ``error`` [B, H, W] over ``mask`` [B, 1, H, W]."""
    weighted = torch.where(mask[:, 0], _times(error, pixel_weights), torch.zeros_like(error))
    return divide(weighted.sum(), _count(mask, pixel_weights) if count is None else count)
