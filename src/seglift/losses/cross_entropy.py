"""Cross-entropy over train ids, ignored pixels left out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE = 255


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weights: Tensor | None = None,
    pixel_weights: Tensor | None = None,
) -> Tensor:
    """Mean of -log softmax(logits)[target] over the valid pixels, optionally weighted by class and by pixel.

    With weights it is the weighted mean: the sum of weight * loss over the sum of weights.

    Args:
        logits: float [B, C, H, W].
        target: uint8 or int64 [B, H, W], 0..C-1, or 255 for pixels to leave out.
        class_weights: float [C], >= 0, or None for all 1.
        pixel_weights: float [B, H, W], >= 0 (for example confidence in 0..1), or None for all 1.

    Returns:
        A scalar; 0 with a graph (all gradients 0) where no pixel counts.

    Raises:
        ValueError: shapes that do not fit together.
    """
    if logits.ndim != 4 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(f"logits [B,C,H,W] and target [B,H,W] expected, got {logits.shape} and {target.shape}")
    if class_weights is not None and class_weights.shape != (logits.shape[1],):
        raise ValueError(f"{logits.shape[1]} class weights expected, got {tuple(class_weights.shape)}")
    target = target.long()
    losses = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    weights = (target != IGNORE).to(losses.dtype)
    if class_weights is not None:
        weights = weights * class_weights[target.clamp(max=logits.shape[1] - 1)]
    if pixel_weights is not None:
        weights = weights * pixel_weights
    total = weights.sum()
    return (losses * weights).sum() / torch.where(total > 0, total, torch.ones_like(total))
