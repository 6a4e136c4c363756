"""Which pixels count and how much: what every loss checks, converts and counts at its door."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seglift.base.errors import UserError

IGNORE = 255

ClassWeights = Sequence[float] | Tensor


def require(holds: bool, name: str, value: object, expected: str) -> None:
    """Refuses an impossible value of a recipe.

    Raises:
        UserError: ``holds`` is false.
    """
    if not holds:
        raise UserError(f"{name} is {value!r}, expected {expected}; change it in the loss's settings")


def is_number(value: object, low: float, high: float = float("inf")) -> bool:
    """Whether ``value`` is a number (no bool, no NaN) of low..high."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def require_class_weights(values: ClassWeights | None) -> None:
    """Refuses class weights that are not one row of finite numbers >= 0, not all of them 0.

    Raises:
        UserError: they are something else.
    """
    if values is None:
        return
    expected = "a list of finite numbers >= 0, one for each class, not all 0"
    if isinstance(values, str):
        require(False, "class_weights", values, expected)
    try:
        weights = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"class_weights is {values!r}, expected {expected}; change it in the loss's settings"
        ) from error
    holds = weights.ndim == 1 and bool(weights.isfinite().all()) and bool((weights >= 0).all()) and weights.sum() > 0
    require(bool(holds), "class_weights", values, expected)


def class_weights_like(values: ClassWeights, target: Tensor, dtype: torch.dtype) -> Tensor:
    """The weights of the classes beside the target, ``dtype`` [C]; a GPU is not waited for."""
    beside = torch.as_tensor(values, dtype=dtype)
    return beside.to(target.device, non_blocking=target.device.type == "cuda")


def check_shapes(logits: Tensor, target: Tensor, pixel_weights: Tensor | None = None) -> None:
    """Holds the loss's inputs to their shapes: logits [B, C, H, W], target and pixel weights [B, H, W].

    Raises:
        ValueError: they do not fit together.
    """
    if logits.ndim != 4 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"logits [B,C,H,W] and target [B,H,W] expected, got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    if pixel_weights is not None and pixel_weights.shape != target.shape:
        raise ValueError(f"pixel weights {tuple(target.shape)} expected, got {tuple(pixel_weights.shape)}")


def full_precision(logits: Tensor) -> Tensor:
    """Logits as float32, or float64 where they are: losses never compute in half precision."""
    return logits if logits.dtype == torch.float64 else logits.float()


def counting(target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
    """The pixels that count: a class, and a weight above 0; bool [B, H, W]."""
    valid = target != IGNORE
    return valid if pixel_weights is None else valid & (pixel_weights > 0)


def weight_map(target: Tensor, pixel_weights: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The weight of every pixel, 0 where the target is ignored; ``dtype`` [B, H, W]."""
    valid = target != IGNORE
    if pixel_weights is None:
        return valid.to(dtype)
    return torch.where(valid, pixel_weights.to(dtype), torch.zeros((), dtype=dtype, device=target.device))


def weight_sum(target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
    """Sum of :func:`weight_map`, a float64 scalar."""
    if pixel_weights is None:
        return torch.count_nonzero(target != IGNORE).double()
    return weight_map(target, pixel_weights, torch.float64).sum()


def divide(total: Tensor, count: Tensor) -> Tensor:
    """Total over count, in the total's dtype; the total itself where the count is 0 (there it is 0 with a graph)."""
    return total / torch.where(count > 0, count, torch.ones_like(count)).to(total)
