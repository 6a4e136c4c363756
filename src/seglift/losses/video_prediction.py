"""What video prediction minimises: colours, their differences, smooth motion (Zhu et al., CVPR 2019, section 3.1).

The paper names no loss; terms and weights are those of its released training: 0.7 times the L1 distance of colours, 0.2
times that of the absolute differences between neighbours, 0.1 times the absolute differences of the motion. The
released code takes colours in 0..1 and their differences in 0..255, so that these weigh 255 times as much as the
weights say; ``grad_scale`` tells the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError

TERMS = ("color", "gradient_x", "gradient_y", "smoothness_x", "smoothness_y", "images")
"""What :meth:`VideoPredictionLoss.counts` counts."""


@dataclass(frozen=True)
class VideoLossConfig:
    """Weights of the terms, by default those of the released training.

    SDC-Net's fine-tuning (Reda et al., ECCV 2018, section 4.2) has color 0.2, perceptual 0.06, style 36, others 0.
    """

    color: float = 0.7
    """Of the L1 distance of colours in 0..1."""
    gradient: float = 0.2
    """Of the L1 distance of absolute differences between neighbouring pixels."""
    smoothness: float = 0.1
    """Of the absolute differences between neighbouring motion vectors, pixels."""
    grad_scale: float = 255.0
    """Unit of the differences of colours: 255 as released, 1 for that of the colours."""
    perceptual: float = 0.0
    """Of the L1 distance of VGG-16's features; above 0 needs its weights."""
    style: float = 0.0
    """Of the L1 distance of their Gram matrices; above 0 needs its weights."""
    vgg: str | None = None
    """File of torchvision's VGG-16 weights; none looks for it in torch's cache."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        for name in ("color", "gradient", "smoothness", "perceptual", "style"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UserError(f"the loss's weight {name} is {value}, expected at least 0; change it")
        if not 0 < self.grad_scale < math.inf:
            raise UserError(f"the loss's grad_scale is {self.grad_scale}, expected above 0; change it")
        if not self.color + self.gradient + self.perceptual + self.style > 0:
            raise UserError("the loss looks at no image, expected a weight above 0 beside smoothness; give color one")

    @property
    def wants_features(self) -> bool:
        """Whether VGG-16's features are part of it."""
        return self.perceptual > 0 or self.style > 0


def color_loss(prediction: Tensor, target: Tensor, mask: Tensor | None = None, count: Tensor | None = None) -> Tensor:
    """Mean absolute difference of colours over the pixels that count.

    Args:
        prediction: float [B, 3, h, w] in 0..1.
        target: the same shape and range.
        mask: float [B, 1, h, w], 1 where a pixel counts, else 0; None counts all.
        count: what the sum is divided by, in place of the number of values that count.

    Returns:
        A scalar, at least 0; 0 where nothing counts.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _check(prediction, target, mask)
    return _mean((prediction - target).abs(), mask, count)


def gradient_loss(
    prediction: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    scale: float = 255.0,
    counts: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """How far absolute differences between neighbours are off: mean along x plus mean along y.

    Args:
        prediction: float [B, 3, h, w] in 0..1.
        target: the same shape and range.
        mask: float [B, 1, h, w], 1 where a pixel counts; a difference counts where both of its pixels do.
        scale: unit; 255 measures in 0..255 (the released code), 1 in 0..1.
        counts: what the sums along x and y are divided by, in place of the numbers of differences that count.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _check(prediction, target, mask)
    along: list[Tensor] = []
    for axis in (-1, -2):
        difference = (_differences(prediction, axis).abs() - _differences(target, axis).abs()).abs()
        both = None if mask is None else _pairs(mask, axis)
        along.append(_mean(difference, both, None if counts is None else counts[len(along)]))
    return scale * (along[0] + along[1])


def smoothness_loss(motion: Tensor, counts: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Mean absolute difference of neighbouring motion vectors along x plus that along y, pixels.

    Args:
        motion: float [B, 2, h, w] in pixels.
        counts: what the sums along x and y are divided by, in place of the numbers of differences.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: not [B, 2, h, w].
    """
    if motion.ndim != 4 or motion.shape[1] != 2:
        raise ValueError(f"motion is {tuple(motion.shape)}, expected [B, 2, h, w]")
    x, y = (
        _mean(_differences(motion, axis).abs(), None, None if counts is None else counts[number])
        for number, axis in enumerate((-1, -2))
    )
    return x + y


class VideoPredictionLoss(nn.Module):
    """The weighted sum of the terms, each divided by what the whole batch has of it.

    Args:
        config: weights.
    """

    def __init__(self, config: VideoLossConfig) -> None:
        super().__init__()
        self.config = config

    def counts(self, mask: Tensor) -> Tensor:
        """How many values each of ``TERMS`` is a mean of, float64 [6]; those of the parts of a batch add up.

        Args:
            mask: float [B, 1, h, w], 1 where a pixel counts, else 0.
        """
        batch, _, height, width = mask.shape
        pairs = [3 * _pairs(mask, axis).sum() for axis in (-1, -2)]
        plain = [2 * batch * height * (width - 1), 2 * batch * (height - 1) * width, batch]
        return torch.stack([3 * mask.sum(), *pairs, *(mask.new_tensor(number) for number in plain)]).double()

    def forward(self, prediction: Tensor, target: Tensor, motion: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
        """This part's share of the loss of the whole batch.

        Args:
            prediction: the frame that was made, float [B, 3, h, w] in 0..1.
            target: the true one.
            motion: float [B, 2, h, w] in pixels.
            mask: float [B, 1, h, w], 1 where the terms of the image count a pixel.
            counts: :meth:`counts` of the whole batch, [6].

        Returns:
            A scalar; the shares of the parts add up to the loss.
        """
        config, of = self.config, counts.to(prediction.dtype)
        loss = config.color * color_loss(prediction, target, mask, of[0])
        loss = loss + config.gradient * gradient_loss(prediction, target, mask, config.grad_scale, (of[1], of[2]))
        return loss + config.smoothness * smoothness_loss(motion, (of[3], of[4]))


def _check(prediction: Tensor, target: Tensor, mask: Tensor | None) -> None:
    if prediction.shape != target.shape or prediction.ndim != 4:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} must be [B, 3, h, w] of one size"
        )
    expected = (prediction.shape[0], 1, *prediction.shape[2:])
    if mask is not None and mask.shape != expected:
        raise ValueError(f"the mask is {tuple(mask.shape)}, expected {expected}")


def _differences(values: Tensor, axis: int) -> Tensor:
    length = values.shape[axis] - 1
    return values.narrow(axis, 1, length) - values.narrow(axis, 0, length)


def _pairs(mask: Tensor, axis: int) -> Tensor:
    length = mask.shape[axis] - 1
    return mask.narrow(axis, 1, length) * mask.narrow(axis, 0, length)


def _mean(values: Tensor, mask: Tensor | None, count: Tensor | None) -> Tensor:
    if mask is None:
        total = values.sum()
        return total / (max(values.numel(), 1) if count is None else count.clamp_min(1))
    number = values.shape[1] * mask.sum() if count is None else count
    return (values * mask).sum() / number.clamp_min(1)
