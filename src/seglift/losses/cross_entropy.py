"""Cross-entropy over train ids, ignored pixels left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.losses.pixels import (
    IGNORE,
    ClassWeights,
    check_shapes,
    class_weights_like,
    divide,
    full_precision,
    is_number,
    require,
    require_class_weights,
    weight_map,
    weight_sum,
)

__all__ = ["IGNORE", "CrossEntropy", "class_weight_map", "cross_entropy", "cross_entropy_map"]


def cross_entropy_map(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits)[target] of every pixel, 0 where the target is ignored.

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        target: uint8 or int64 [B, H, W], 0..C-1, or 255 for pixels to leave out.
        label_smoothing: share of the target spread evenly over all classes, 0..1 (Szegedy et al. 2016, section 7).

    Returns:
        float32 (float64 for float64 logits) [B, H, W], >= 0.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_shapes(logits, target)
    return F.cross_entropy(
        full_precision(logits), target.long(), ignore_index=IGNORE, reduction="none", label_smoothing=label_smoothing
    )


def class_weight_map(
    target: Tensor, class_weights: ClassWeights | None, pixel_weights: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """The weight of every pixel: that of its class times its own, 0 where the target is ignored; [B, H, W].

    Raises:
        ValueError: a target beyond the class weights; on a GPU, where looking would wait for it, the device says so.
    """
    weights = weight_map(target, pixel_weights, dtype)
    if class_weights is None:
        return weights
    by_class = class_weights_like(class_weights, target, dtype)
    index = target.long().masked_fill(target == IGNORE, 0)
    if index.device.type == "cpu" and index.numel() and int(index.max()) >= len(by_class):
        raise ValueError(f"{int(index.max()) + 1} class weights or more expected, got {len(by_class)}")
    return weights * by_class[index]


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weights: ClassWeights | None = None,
    pixel_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    count: Tensor | None = None,
) -> Tensor:
    """Mean of -log softmax(logits)[target] over the valid pixels, optionally weighted by class and by pixel.

    With weights it is the weighted mean: the sum of weight * loss over the sum of weights.

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        target: uint8 or int64 [B, H, W], 0..C-1, or 255 for pixels to leave out.
        class_weights: float [C], >= 0, or None for all 1.
        pixel_weights: float [B, H, W], >= 0 (for example confidence in 0..1), or None for all 1.
        label_smoothing: share of the target spread evenly over all classes, 0..1.
        count: what to divide by instead of the sum of these pixels' weights, a scalar.

    Returns:
        A scalar; 0 with a graph (all gradients 0) where no pixel counts.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_shapes(logits, target, pixel_weights)
    if class_weights is not None and len(class_weights) != logits.shape[1]:
        raise ValueError(f"{logits.shape[1]} class weights expected, got {len(class_weights)}")
    losses = cross_entropy_map(logits, target, label_smoothing)
    if class_weights is not None or pixel_weights is not None:
        losses = losses * class_weight_map(target, class_weights, pixel_weights, losses.dtype)
    if count is None:
        count = _count(target, class_weights, pixel_weights)
    return divide(losses.sum(), count)


def _count(target: Tensor, class_weights: ClassWeights | None, pixel_weights: Tensor | None) -> Tensor:
    if class_weights is None:
        return weight_sum(target, pixel_weights)
    return class_weight_map(target, class_weights, pixel_weights, torch.float64).sum()


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """Cross-entropy as a term of a criterion; see :func:`cross_entropy`.

    Raises:
        UserError: impossible values.
    """

    class_weights: ClassWeights | None = None
    """Weight of each class, >= 0; none: all 1."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, 0..1."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        require(is_number(self.label_smoothing, 0, 1), "label_smoothing", self.label_smoothing, "a number of 0..1")
        require_class_weights(self.class_weights)

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Sum of the pixels' weights, float64 [1]."""
        return _count(target, self.class_weights, pixel_weights)[None]

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """The weighted mean, a scalar."""
        count = None if counts is None else counts[0]
        return cross_entropy(logits, target, self.class_weights, pixel_weights, self.label_smoothing, count)
