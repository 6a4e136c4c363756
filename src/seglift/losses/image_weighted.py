"""Cross-entropy whose class weights come from each image's own label: rare classes of the image count more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.losses.cross_entropy import cross_entropy_map
from seglift.losses.pixels import IGNORE, check_shapes, counting, divide, is_number, require, weight_map


def image_class_weights(target: Tensor, upper_bound: float = 1.0, inverse: bool = False) -> Tensor:
    """Weights of the classes of each image: ``1 + upper_bound * (1 - share)`` for classes that it shows, else 1.

    This is the weighting that the code released with Zhu et al. 2019 ("Improving Semantic Segmentation via Video
    Propagation and Label Relaxation") trains its cross-entropy with.

    Args:
        target: uint8 or int64 [B, H, W], 255 = ignore.
        upper_bound: how much a vanishingly rare class gains.
        inverse: ``1 + upper_bound / share`` instead.

    Returns:
        float32 [B, 256], by train id.
    """
    images = torch.arange(len(target), device=target.device)[:, None] * 256
    seen = torch.bincount((target.long().flatten(1) + images).flatten(), minlength=256 * len(target))
    seen = seen.view(-1, 256)[:, :IGNORE].double()
    share = seen / seen.sum(1, keepdim=True).clamp_min(1)
    gain = 1 / share.clamp_min(1e-12) if inverse else 1 - share
    weights = 1 + upper_bound * torch.where(seen > 0, gain, 0)
    return torch.nn.functional.pad(weights, (0, 1), value=1.0).float()


def image_weighted_cross_entropy(
    logits: Tensor,
    target: Tensor,
    upper_bound: float = 1.0,
    inverse: bool = False,
    pixel_weights: Tensor | None = None,
    count: Tensor | None = None,
) -> Tensor:
    """Mean over the images of each image's weighted mean cross-entropy (the released code sums the images).

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        target: uint8 or int64 [B, H, W], 0..C-1, 255 = ignore.
        upper_bound: see :func:`image_class_weights`.
        inverse: see :func:`image_class_weights`.
        pixel_weights: float [B, H, W], >= 0, or None for all 1; they do not change the class weights.
        count: what to divide the sum over images by instead of the number of images with a pixel that counts.

    Returns:
        A scalar; 0 with a graph where no pixel counts.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_shapes(logits, target, pixel_weights)
    losses = cross_entropy_map(logits, target)
    by_class = image_class_weights(target, upper_bound, inverse).to(losses.dtype)
    weights = by_class.gather(1, target.long().flatten(1)).view_as(losses)
    weights = (weights * weight_map(target, pixel_weights, losses.dtype)).flatten(1)
    per_image = divide((losses.flatten(1) * weights).sum(1), weights.sum(1))
    return divide(per_image.sum(), _images(target, pixel_weights) if count is None else count)


def _images(target: Tensor, pixel_weights: Tensor | None) -> Tensor:
    return counting(target, pixel_weights).flatten(1).any(1).sum()


@dataclass(frozen=True)
class ImageWeighted:
    """Image-weighted cross-entropy as a term of a criterion; see :func:`image_weighted_cross_entropy`.

    Raises:
        UserError: impossible values.
    """

    upper_bound: float = 1.0
    """How much a vanishingly rare class of an image gains, >= 0."""
    inverse: bool = False
    """Weights 1 + upper_bound / share instead of 1 + upper_bound * (1 - share)."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        require(is_number(self.upper_bound, 0, 1e6), "upper_bound", self.upper_bound, "a number >= 0")
        require(isinstance(self.inverse, bool), "inverse", self.inverse, "true or false")

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Number of images with a pixel that counts, float64 [1]."""
        return _images(target, pixel_weights)[None].double()

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """The mean over the images, a scalar."""
        count = None if counts is None else counts[0]
        return image_weighted_cross_entropy(logits, target, self.upper_bound, self.inverse, pixel_weights, count)
