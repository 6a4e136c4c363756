"""Region mutual information: predictions should follow the labels' small patches, not only single pixels.

Zhao et al. 2019, "Region Mutual Information Loss for Semantic Segmentation", and the code released with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.losses.pixels import (
    IGNORE,
    check_shapes,
    counting,
    divide,
    full_precision,
    is_number,
    require,
    weight_map,
    weight_sum,
)

SMALLEST_PROBABILITY = 1e-6
DIAGONAL = 5e-4
SMALLEST_PIVOT = 1e-8
SIDE = 3


def patches(maps: Tensor) -> Tensor:
    """The 3 x 3 neighbourhoods of maps [B, C, H, W] as vectors: [B, C, 9, (H - 2) * (W - 2)]."""
    height, width = maps.shape[-2] - SIDE + 1, maps.shape[-1] - SIDE + 1
    shifted = [maps[..., y : y + height, x : x + width] for y in range(SIDE) for x in range(SIDE)]
    return torch.stack(shifted, 2).flatten(3)


def log_residual_determinant(truth: Tensor, predicted: Tensor) -> Tensor:
    """Half the log determinant of what predictions leave unexplained of the truth's covariance.

    ``1/2 log det(A - X B^-1 X^T + d I)`` with A = cov(truth), B = cov(predicted) + d I, X = cov(truth, predicted),
    covariances as sums, d = 5e-4.

    Args:
        truth: float64 [..., d, n], n samples of vectors of d numbers.
        predicted: float64 [..., d, n].

    Returns:
        float64 [...]; NaN where numbers are not finite.
    """
    truth = truth - truth.mean(-1, keepdim=True)
    predicted = predicted - predicted.mean(-1, keepdim=True)
    ridge = DIAGONAL * torch.eye(truth.shape[-2], dtype=truth.dtype, device=truth.device)
    factor, failed = torch.linalg.cholesky_ex(predicted @ predicted.mT + ridge)
    whitened = torch.linalg.solve_triangular(factor, predicted @ truth.mT, upper=False)
    residual = truth @ truth.mT - whitened.mT @ whitened
    residual_factor, residual_failed = torch.linalg.cholesky_ex(residual + ridge)
    halves = torch.log(residual_factor.diagonal(dim1=-2, dim2=-1) + SMALLEST_PIVOT).sum(-1)
    return halves.masked_fill((failed != 0) | (residual_failed != 0), torch.nan)


def region_mutual_information(
    logits: Tensor, target: Tensor, pooling: Literal["average", "max"] = "average", valid: Tensor | None = None
) -> Tensor:
    """The lower bound of the (negative) region mutual information of each image, smaller is better.

    Args:
        logits: float [B, C, H, W]; a sigmoid makes them probabilities of each class for itself.
        target: uint8 or int64 [B, H, W], 0..C-1, 255 = ignore.
        pooling: how both are made smaller: ``average`` of 4 x 4, stride 4, or ``max`` of 3 x 3, stride 3 (the paper's).
        valid: bool [B, H, W], the pixels that count; None for all that are not ignored.

    Returns:
        float64 [B], divided by the 9 dimensions of a patch and summed over classes.

    Raises:
        ValueError: shapes that do not fit together, or maps of less than 3 x 3 after pooling.
    """
    check_shapes(logits, target)
    valid = target != IGNORE if valid is None else valid
    size = 4 if pooling == "average" else 3
    pool = F.avg_pool2d if pooling == "average" else F.max_pool2d
    logits = full_precision(logits)
    classes = torch.arange(logits.shape[1], device=target.device).view(1, -1, 1, 1)
    truth = ((target[:, None] == classes) & valid[:, None]).to(logits.dtype)
    predicted = logits.sigmoid() * valid[:, None] + SMALLEST_PROBABILITY
    small = [pool(maps, size, stride=size, padding=size // 2).double() for maps in (truth, predicted)]
    if min(small[0].shape[-2:]) < SIDE:
        raise ValueError(f"images of at least {2 * size} x {2 * size} expected, got {tuple(target.shape[1:])}")
    halves = log_residual_determinant(patches(small[0]), patches(small[1]))
    return halves.sum(1) / SIDE**2


def binary_cross_entropy_sum(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Sum over pixels of weight * sum over classes of the sigmoid cross-entropy; a scalar.

    Args:
        logits: float [B, C, H, W].
        target: uint8 or int64 [B, H, W].
        weights: float [B, H, W], 0 where the target is ignored.
    """
    logits = full_precision(logits)
    index = target.long().masked_fill(target == IGNORE, 0)
    of_target = logits.gather(1, index[:, None])[:, 0]
    return ((-F.logsigmoid(-logits).sum(1) - of_target) * weights).sum()


@dataclass(frozen=True)
class RegionMutualInformation:
    """``share * BCE + (1 - share) * RMI`` as a term of a criterion (Zhao et al. 2019).

    BCE is divided by the number of valid pixels + 1 (the sum of their weights + 1), RMI by the number of images that
    have any; pixel weights reach RMI only as 0 or not. RMI is computed in float64.

    Raises:
        UserError: impossible values.
    """

    pooling: Literal["average", "max"] = "average"
    """``average`` of 4 x 4, stride 4, or the paper's ``max`` of 3 x 3, stride 3."""
    share: float = 0.5
    """Share of the pixelwise binary cross-entropy, 0..1."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        require(self.pooling in ("average", "max"), "pooling", self.pooling, "average or max")
        require(is_number(self.share, 0, 1), "share", self.share, "a number of 0..1")

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Sum of the pixels' weights, and number of images with a pixel that counts; float64 [2]."""
        images = counting(target, pixel_weights).flatten(1).any(1).sum()
        return torch.stack((weight_sum(target, pixel_weights), images.double()))

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """The loss, a scalar; 0 with a graph where no pixel counts."""
        check_shapes(logits, target, pixel_weights)
        pixels, images = self.counts(target, pixel_weights) if counts is None else counts
        logits = full_precision(logits)
        valid = counting(target, pixel_weights)
        weights = weight_map(target, pixel_weights, logits.dtype)
        binary = binary_cross_entropy_sum(logits, target, weights) / (pixels + 1).to(logits)
        each = region_mutual_information(logits, target, self.pooling, valid)
        used = torch.where(valid.flatten(1).any(1), each, torch.zeros_like(each))
        loss: Tensor = self.share * binary + (1 - self.share) * divide(used.sum(), images).to(binary)
        return loss
