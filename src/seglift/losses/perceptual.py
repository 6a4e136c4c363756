"""Perceptual and style distance of images by the features of a network (Liu et al., ECCV 2018, equations 3 and 4).

SDC-Net was fine-tuned with both (Reda et al., ECCV 2018, section 4.2); the released code of Zhu et al. has neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def perceptual_loss(prediction: Sequence[Tensor], target: Sequence[Tensor], count: Tensor | None = None) -> Tensor:
    """L1 distance of features: mean over each layer's values, summed over the layers, mean over the images.

    Args:
        prediction: features of the image that was made, float [B, C_n, h_n, w_n] for each layer.
        target: those of the true one, the same shapes.
        count: number of images that the sum over them is divided by, in place of B.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: other numbers of layers, or shapes that differ.
    """
    _check(prediction, target)
    each = [(ours - true).abs().mean((1, 2, 3)) for ours, true in zip(prediction, target, strict=True)]
    return _over_images(torch.stack(each).sum(0), count)


def style_loss(prediction: Sequence[Tensor], target: Sequence[Tensor], count: Tensor | None = None) -> Tensor:
    """L1 distance of Gram matrices (divided by C_n h_n w_n): mean over a matrix, summed over layers, mean over images.

    Args:
        prediction: features of the image that was made, float [B, C_n, h_n, w_n] for each layer.
        target: those of the true one, the same shapes.
        count: number of images that the sum over them is divided by, in place of B.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: other numbers of layers, or shapes that differ.
    """
    _check(prediction, target)
    each = [(_gram(ours) - _gram(true)).abs().mean((1, 2)) for ours, true in zip(prediction, target, strict=True)]
    return _over_images(torch.stack(each).sum(0), count)


def _gram(features: Tensor) -> Tensor:
    """Float [B, C, h, w] to [B, C, C]."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def _over_images(values: Tensor, count: Tensor | None) -> Tensor:
    return values.mean() if count is None else values.sum() / count.clamp_min(1)


def _check(prediction: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    shapes = [[tuple(layer.shape) for layer in layers] for layers in (prediction, target)]
    if not shapes[0] or shapes[0] != shapes[1]:
        raise ValueError(f"features are {shapes[0]} and {shapes[1]}, expected the same shapes, at least one layer")
