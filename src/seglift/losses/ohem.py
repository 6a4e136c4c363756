"""Hard pixel mining: cross-entropy of the hardest pixels of each image only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.losses.cross_entropy import class_weight_map, cross_entropy_map
from seglift.losses.pixels import (
    ClassWeights,
    check_shapes,
    counting,
    divide,
    is_number,
    require,
    require_class_weights,
)


def kept_pixels(target: Tensor, share: float, pixel_weights: Tensor | None = None) -> Tensor:
    """How many pixels of each image are kept: the rounded share of those that count, at least 1 of them.

    Args:
        target: uint8 or int64 [B, H, W], 255 = ignore.
        share: 0..1.
        pixel_weights: float [B, H, W]; pixels of weight 0 do not count.

    Returns:
        int64 [B]; 0 for an image without a pixel that counts.
    """
    valid = counting(target, pixel_weights).flatten(1).sum(1)
    return (valid * share).round().long().clamp_min(1).minimum(valid)


def hardest_cross_entropy(
    logits: Tensor,
    target: Tensor,
    share: float = 0.2,
    class_weights: ClassWeights | None = None,
    pixel_weights: Tensor | None = None,
    count: Tensor | None = None,
) -> Tensor:
    """Mean of the largest weighted cross-entropies, a share of the valid pixels of each image.

    Weights multiply the loss before the choice, and the sum is divided by the number of kept pixels (not by their
    weights), as in DeeperLab (Yang et al. 2019) and Panoptic-DeepLab (Cheng et al. 2020). There the share is of all
    pixels; here of each image's valid ones, so that images do not compete and the count follows from the labels.

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        target: uint8 or int64 [B, H, W], 0..C-1, 255 = ignore.
        share: of the valid pixels of each image, above 0, to 1.
        class_weights: float [C], >= 0, or None for all 1.
        pixel_weights: float [B, H, W], >= 0, or None for all 1; for example 3 on small instances.
        count: what to divide by instead of the number of kept pixels, a scalar.

    Returns:
        A scalar; 0 with a graph where no pixel counts.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_shapes(logits, target, pixel_weights)
    if class_weights is not None and len(class_weights) != logits.shape[1]:
        raise ValueError(f"{logits.shape[1]} class weights expected, got {len(class_weights)}")
    losses = cross_entropy_map(logits, target)
    losses = losses * class_weight_map(target, class_weights, pixel_weights, losses.dtype)
    kept = kept_pixels(target, share, pixel_weights)
    sums = [
        image.topk(number, sorted=False).values.sum()
        for image, number in zip(losses.flatten(1), kept.tolist(), strict=True)
    ]
    total = torch.stack(sums).sum() if sums else losses.sum()
    return divide(total, kept.sum() if count is None else count)


@dataclass(frozen=True, eq=False)
class HardestPixels:
    """Hard pixel mining as a term of a criterion; see :func:`hardest_cross_entropy`.

    Raises:
        UserError: impossible values.
    """

    share: float = 0.2
    """Share of the valid pixels of each image that is kept, above 0, to 1."""
    class_weights: ClassWeights | None = None
    """Weight of each class, >= 0; none: all 1."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        require(is_number(self.share, 0, 1) and self.share > 0, "share", self.share, "a number above 0, to 1")
        require_class_weights(self.class_weights)

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Number of kept pixels, float64 [1]."""
        return kept_pixels(target, self.share, pixel_weights).sum()[None].double()

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """The mean over the kept pixels, a scalar."""
        count = None if counts is None else counts[0]
        return hardest_cross_entropy(logits, target, self.share, self.class_weights, pixel_weights, count)
