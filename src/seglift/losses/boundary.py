"""Boundary loss: a prediction's class boundaries as sharp, and where, the labels have them (Das et al. 2023).

"Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.1, equations 1 and 2. The
loss is that of Takikawa et al., "Gated-SCNN" (ICCV 2019), section 3.3, whose released code takes no derivative: its
gradient helpers return their input, as its authors say. Here the gradients are central differences, as both papers have
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seglift.losses.pixels import IGNORE, check_shapes, divide, full_precision, is_number, require

THRESHOLD = 1e-8
"""A boundary strength above it is a boundary."""
SMALLEST_SQUARE = 1e-12
"""Added below the root of a strength, whose derivative stays finite."""
AT_ONCE = 2**22
"""Pixels of class maps that are worked on at a time."""


def gumbel_softmax(logits: Tensor, temperature: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """A soft sample of each pixel's class, ``softmax((z + g) / temperature)`` with Gumbel noise g drawn anew.

    Jang et al., "Categorical Reparameterization with Gumbel-Softmax" (ICLR 2017), equation 2.

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        temperature: above 0; the smaller, the nearer to one-hot.
        generator: source of the noise, which is drawn on the generator's device; None takes the global source of the
            logits' device.

    Returns:
        float32 (float64 for float64 logits) [B, C, H, W], 0..1, the classes of a pixel add up to 1.
    """
    logits = full_precision(logits)
    device = logits.device if generator is None else generator.device
    noise = torch.empty(logits.shape, dtype=logits.dtype, device=device).uniform_(generator=generator)
    limits = torch.finfo(noise.dtype)
    noise = noise.clamp_(limits.tiny, 1 - limits.eps).log_().neg_().log_().neg_().to(logits.device)
    return ((logits + noise) / temperature).softmax(1)


def central_differences(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Change from pixel to pixel along x and along y, as ``numpy.gradient`` has it.

    ``0.5 * (f(x + 1) - f(x - 1))`` inside; the difference of the outer two at the border; 0 along a side of 1 pixel.

    Args:
        maps: float [..., H, W].

    Returns:
        Two of the same shape.
    """
    return _difference(maps, -1), _difference(maps, -2)


def _difference(maps: Tensor, side: int) -> Tensor:
    length = maps.shape[side]
    if length < 2:
        return torch.zeros_like(maps)
    change = torch.empty_like(maps)
    ahead, behind = maps.narrow(side, 2, length - 2), maps.narrow(side, 0, length - 2)
    torch.sub(ahead, behind, out=change.narrow(side, 1, length - 2)).mul_(0.5)
    for place, before in ((0, 0), (length - 1, length - 2)):
        change.select(side, place).copy_(maps.select(side, before + 1) - maps.select(side, before))
    return change


def _spread(gradient: Tensor, side: int) -> Tensor:
    """The transpose of :func:`_difference`: from the gradient of the differences to that of the maps."""
    length = gradient.shape[side]
    spread = torch.zeros_like(gradient)
    if length < 2:
        return spread
    inner = gradient.narrow(side, 1, length - 2)
    spread.narrow(side, 2, length - 2).add_(inner, alpha=0.5)
    spread.narrow(side, 0, length - 2).sub_(inner, alpha=0.5)
    for place, before in ((0, 0), (length - 1, length - 2)):
        spread.select(side, before + 1).add_(gradient.select(side, place))
        spread.select(side, before).sub_(gradient.select(side, place))
    return spread


class _Strength(NamedTuple):
    """How fast each class of an image changes: x and y differences, their norm, where it is a boundary; [C, H, W]."""

    x: Tensor
    y: Tensor
    norm: Tensor
    boundary: Tensor


def _strength(maps: Tensor, counting: Tensor) -> _Strength:
    """Of the class maps [C, H, W] of an image; boundaries lie within ``counting`` bool [H, W]."""
    x, y = central_differences(maps)
    square = x.square().addcmul_(y, y)
    boundary = (square > THRESHOLD**2).logical_and_(counting)
    return _Strength(x, y, square.add_(SMALLEST_SQUARE).sqrt_(), boundary)


def _one_hot(target: Tensor, classes: slice, dtype: torch.dtype) -> Tensor:
    """Maps ``dtype`` [C, H, W] of some classes of the labels [H, W]; ignored pixels are of no class."""
    numbers = torch.arange(classes.start, classes.stop, device=target.device).view(-1, 1, 1)
    return (target[None] == numbers).to(dtype)


def _counting(target: Tensor) -> Tensor:
    """The pixels [B, H, W] farther than 1 pixel (of 3 x 3) from ignored ones."""
    ignored = (target == IGNORE).float()[:, None]
    return F.max_pool2d(ignored, 3, stride=1, padding=1)[:, 0] == 0


def _pieces(shape: torch.Size) -> Iterator[tuple[int, slice]]:
    """Number of an image and some of its class maps at a time, for maps [B, C, H, W]."""
    classes = max(1, AT_ONCE // max(1, shape[2] * shape[3]))
    for image in range(shape[0]):
        for first in range(0, shape[1], classes):
            yield image, slice(first, min(first + classes, shape[1]))


def _strengths(
    soft: Tensor, target: Tensor, counting: Tensor
) -> Iterator[tuple[tuple[int, slice], _Strength, _Strength]]:
    """Strengths of the prediction and of the labels, piece by piece, to save memory."""
    for image, classes in _pieces(soft.shape):
        truth = _one_hot(target[image], classes, soft.dtype)
        predicted = _strength(soft[image, classes], counting[image])
        yield (image, classes), predicted, _strength(truth, counting[image])


class _BoundaryDifference(Function):
    """The loss of a soft sample; its gradient is made of the sample again, so that nothing else is kept."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, target: Tensor, weights: tuple[float, float], counts: Tensor) -> Tensor:
        totals, counting = torch.zeros(3, dtype=torch.float64, device=soft.device), _counting(target)
        for _, predicted, truth in _strengths(soft, target, counting):
            difference = (predicted.norm - truth.norm).abs_()
            at_truth = (difference * truth.boundary).sum(dtype=torch.float64)
            at_predicted = (difference * predicted.boundary).sum(dtype=torch.float64)
            totals += torch.stack((at_truth, at_predicted, predicted.boundary.count_nonzero()))
        part = divide(counting.count_nonzero().double(), counts[1])
        one = torch.ones_like(part)
        scales = torch.stack((divide(one * weights[0], counts[0]), divide(part * weights[1], totals[2])))
        ctx.save_for_backward(soft, target, scales)
        return (scales * totals[:2]).sum().to(soft.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        soft, target, scales = ctx.saved_tensors
        at_truth, at_predicted = (scales * upstream).to(soft.dtype)
        gradient = torch.empty_like(soft)
        for (image, classes), predicted, truth in _strengths(soft, target, _counting(target)):
            share = truth.boundary * at_truth + predicted.boundary * at_predicted
            share *= (predicted.norm - truth.norm).sign_().div_(predicted.norm)
            gradient[image, classes] = _spread(share * predicted.x, -1).add_(_spread(share.mul_(predicted.y), -2))
        return gradient, None, None, None


@dataclass(frozen=True)
class BoundaryLoss:
    """How far the strength of predicted class boundaries is from that of the labels' (Das et al. 2023, equation 2).

    ``truth_weight * mean |G - T| over the labels' boundaries + prediction_weight * mean |G - T| over the predicted``,
    where T and G are the norms of the x and y differences of each class map by itself, of the one-hot labels and of a
    Gumbel-softmax sample of the prediction. A boundary is a pixel of a class map with a norm above 1e-8 that is
    farther than 1 pixel from ignored ones; the means are over those of all images that take part, together, and 0
    where there are none. A sample that is one-hot and right has the loss 0. The paper does not say that means are
    taken, whether the norm runs over classes, too, and what becomes of pixels beside ignored ones; that is ours.

    Raises:
        UserError: impossible values.
    """

    temperature: float = 0.5
    """Of the Gumbel-softmax (Das et al. give none; the released code of Gated-SCNN has 0.5)."""
    truth_weight: float = 0.5
    """Weight of the mean over the labels' boundaries."""
    prediction_weight: float = 0.5
    """Weight of the mean over the predicted boundaries."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        hot = self.temperature
        require(is_number(hot, 1e-3, 1e3), "temperature", hot, "a number of 0.001..1000")
        for name in ("truth_weight", "prediction_weight"):
            require(is_number(getattr(self, name), 0, 1e6), name, getattr(self, name), "a number >= 0")

    def counts(self, target: Tensor, num_classes: int, images: Tensor | None = None) -> Tensor:
        """What the means are divided by, as far as labels say it; counts of images add.

        Args:
            target: uint8 or int64 [B, H, W], 0..num_classes-1, 255 = ignore.
            num_classes: C.
            images: bool [B], those that take part; None for all.

        Returns:
            float64 [2]: boundary pixels of the labels' class maps, and pixels farther than 1 pixel from ignored ones.
        """
        totals = torch.zeros(2, dtype=torch.float64, device=target.device)
        chosen = target if images is None else target[images]
        counting = _counting(chosen)
        for image, classes in _pieces(torch.Size((len(chosen), num_classes, *chosen.shape[1:]))):
            truth = _one_hot(chosen[image], classes, torch.float32)
            totals[0] += _strength(truth, counting[image]).boundary.count_nonzero()
        totals[1] = counting.count_nonzero()
        return totals

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        images: Tensor | None = None,
        generator: torch.Generator | None = None,
        counts: Tensor | None = None,
    ) -> Tensor:
        """The loss, a scalar; 0 with a graph where no image takes part. Differentiable once.

        Besides logits and their gradient, memory is needed for one more tensor of their size and some ten times
        :data:`AT_ONCE` numbers.

        Args:
            logits: float [B, C, H, W]; half precision is computed in float32.
            target: uint8 or int64 [B, H, W], 0..C-1, 255 = ignore.
            images: bool [B], those that take part (the purely synthetic ones of Das et al.); None for all.
            generator: source of the noise, see :func:`gumbel_softmax`; each call draws anew.
            counts: :meth:`counts` of the whole batch that this one is a part of, or None if it is whole. The losses of
                parts then add up: each part's mean over predicted boundaries, whose number no label tells, is
                weighted by its share of the pixels.

        Raises:
            ValueError: shapes that do not fit together.
        """
        check_shapes(logits, target)
        if images is not None and images.shape != target.shape[:1]:
            raise ValueError(f"images bool {tuple(target.shape[:1])} expected, got {tuple(images.shape)}")
        counts = self.counts(target, logits.shape[1], images) if counts is None else counts.to(target.device)
        if images is not None:
            logits, target = logits[images], target[images]
        soft = gumbel_softmax(logits, self.temperature, generator)
        weights = (self.truth_weight, self.prediction_weight)
        loss: Tensor = _BoundaryDifference.apply(soft, target, weights, counts)  # type: ignore[no-untyped-call]
        return loss
