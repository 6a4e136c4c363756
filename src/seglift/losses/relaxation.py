"""Boundary label relaxation: at a boundary any class of the neighbourhood is right (Zhu et al. 2019, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seglift.losses.neighbours import NeighbourSets, neighbour_sets, window_maximum
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


class _SetLoss(Function):
    """From log probabilities [B, C, H, W] to -log of the probability of each pixel's set, [B, H, W].

    Its gradient is minus the softmax restricted to the set. Away from boundaries it is the negative log likelihood.
    """

    @staticmethod
    def forward(ctx: Any, log_p: Tensor, target: Tensor, boundary: Tensor, allowed: Tensor) -> Tensor:
        losses = F.nll_loss(log_p, target, ignore_index=IGNORE, reduction="none")
        rows = torch.where(allowed, log_p.view(-1)[_places(boundary, log_p.shape)], -torch.inf)
        restricted = rows.log_softmax(0)
        # rows - restricted is the same for all members, and exact to rounding for the largest
        losses.view(-1)[boundary] = restricted.amax(0) - rows.amax(0)
        ctx.shape = log_p.shape
        ctx.save_for_backward(target, boundary, restricted)
        return losses

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        target, boundary, restricted = ctx.saved_tensors
        ignored = target == IGNORE
        gradient = upstream.new_zeros(ctx.shape)
        gradient.scatter_(1, target.masked_fill(ignored, 0)[:, None], (-upstream).masked_fill_(ignored, 0)[:, None])
        at_boundary = restricted.exp().mul_(-upstream.reshape(-1)[boundary])
        gradient.view(-1)[_places(boundary, ctx.shape)] = at_boundary
        return gradient, None, None, None


def _places(boundary: Tensor, shape: torch.Size) -> Tensor:
    """Places in the flattened [B, C, H, W] of pixels given by places in the flattened [B, H, W]; int64 [C, P]."""
    size = shape[2] * shape[3]
    channels = torch.arange(shape[1], device=boundary.device)[:, None] * size
    first = boundary + boundary.div(max(size, 1), rounding_mode="floor") * (shape[1] - 1) * size
    return first + channels


def relaxed_cross_entropy_map(logits: Tensor, sets: NeighbourSets) -> Tensor:
    """-log of the summed probability of the classes around each pixel, ``L(p) = -log sum_{c in N(p)} softmax(z(p))_c``.

    Computed as -logsumexp over N(p) of the log softmax, so that no logit is too large; an image's map depends on
    nothing but its own logits and labels.

    Args:
        logits: float [B, C, H, W]; half precision is computed in float32.
        sets: N(p), from :func:`seglift.losses.neighbours.neighbour_sets` with C classes.

    Returns:
        float32 (float64 for float64 logits) [B, H, W]; 0 where there is no set. Differentiable once.

    Raises:
        ValueError: shapes that do not fit together.
    """
    check_shapes(logits, sets.target)
    if sets.allowed.shape[0] != logits.shape[1]:
        raise ValueError(f"sets of {logits.shape[1]} classes expected, got {sets.allowed.shape[0]}")
    log_p = F.log_softmax(full_precision(logits).contiguous(), 1)
    losses: Tensor = _SetLoss.apply(log_p, sets.target.long(), sets.boundary, sets.allowed)  # type: ignore[no-untyped-call]
    return losses


def set_class_weights(target: Tensor, sets: NeighbourSets, radius: int, upper_bound: float = 1.0) -> Tensor:
    """Class weights of each image from how often each class is in a set: ``1 + upper_bound * (1 - share)``, 1 if never.

    As in the code released with the paper, void is counted among the memberships (wherever the window shows void or
    reaches over the image's edge) but gets no weight.

    Args:
        target: uint8 or int64 [B, H, W], the labels that the sets were made of.
        sets: the sets.
        radius: of their window.
        upper_bound: how much a vanishingly rare class gains.

    Returns:
        float32 [B, C].
    """
    images, classes = len(target), sets.allowed.shape[0]
    size = max(target[0].numel() if images else 1, 1)
    alone = sets.target.long().flatten()
    alone = alone.index_fill(0, sets.boundary, IGNORE).view(images, -1)
    offsets = torch.arange(images, device=target.device)[:, None] * 256
    members = (
        torch.bincount((alone + offsets).flatten(), minlength=256 * images).view(images, 256)[:, :classes].double()
    )
    members = members.t().index_add(1, sets.boundary // size, sets.allowed.double()).t()
    padded = F.pad(target.to(torch.uint8), (radius, radius, radius, radius), value=IGNORE)
    void = window_maximum(padded, radius) == IGNORE
    share = members / (members.sum(1) + void.flatten(1).sum(1)).clamp_min(1)[:, None]
    return (1 + upper_bound * torch.where(members > 0, 1 - share, 0)).float()


def set_weight_map(by_class: Tensor, sets: NeighbourSets) -> Tensor:
    """The mean weight of the classes of each pixel's set.

    Args:
        by_class: float [B, C], weights of the classes in each image.
        sets: the sets.

    Returns:
        Float [B, H, W]; anything where there is no set.
    """
    index = sets.target.long().masked_fill(sets.target == IGNORE, 0)
    weights = by_class.gather(1, index.flatten(1)).flatten()
    size = max(index[0].numel() if len(index) else 1, 1)
    members = sets.allowed.to(by_class.dtype)
    mean = (by_class[sets.boundary // size].t() * members).sum(0) / members.sum(0)
    return weights.index_copy(0, sets.boundary, mean).view_as(index)


@dataclass(frozen=True, eq=False)
class RelaxedCrossEntropy:
    """Boundary label relaxation as a term of a criterion (Zhu et al. 2019, section 3.4, equation 5).

    The mean is weighted as in :func:`seglift.losses.cross_entropy.cross_entropy`; the weight of a pixel's set is the
    mean weight of its classes. What the count is follows from the relaxed sets also after ``off_epoch``.

    Raises:
        UserError: impossible values.
    """

    radius: int = 1
    """Radius of the window, pixels: 1 is 3 x 3, 0 plain cross-entropy."""
    void_center: Literal["ignore", "reference"] = "ignore"
    """Whether void pixels beside labelled ones are left out, or trained on their neighbours' classes as in the released
    code."""
    strict_classes: Sequence[int] = ()
    """Train ids that keep their own label at boundaries."""
    off_epoch: float | None = None
    """From this epoch on the radius is 0; none: never."""
    off_boundary_weight: float = 1.0
    """What the loss of pixels with several classes in the window is multiplied by from ``off_epoch`` on (the released
    scripts: 2); the count stays."""
    class_weights: ClassWeights | Literal["hist"] | None = None
    """Weight of each class, >= 0; ``hist``: from each image's own sets as in the released code; none: all 1."""
    upper_bound: float = 1.0
    """How much a vanishingly rare class gains with ``hist``."""
    reduction: Literal["mean", "sum_images"] = "mean"
    """``mean`` over all pixels, or as in the released code the images' sums over (their trained pixels + 1), added."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        whole = isinstance(self.radius, int) and is_number(self.radius, 0, 127)
        require(whole, "radius", self.radius, "a whole number of 0..127")
        require(self.void_center in ("ignore", "reference"), "void_center", self.void_center, "ignore or reference")
        require(self.reduction in ("mean", "sum_images"), "reduction", self.reduction, "mean or sum_images")
        strict = not isinstance(self.strict_classes, str) and isinstance(self.strict_classes, Sequence)
        strict = strict and all(isinstance(one, int) and is_number(one, 0, 254) for one in self.strict_classes)
        require(strict, "strict_classes", self.strict_classes, "a list of train ids of 0..254")
        off = self.off_epoch is None or is_number(self.off_epoch, 0)
        require(off, "off_epoch", self.off_epoch, "a number >= 0, or none")
        boost = is_number(self.off_boundary_weight, 0, 1e6)
        require(boost, "off_boundary_weight", self.off_boundary_weight, "a number >= 0")
        require(is_number(self.upper_bound, 0, 1e6), "upper_bound", self.upper_bound, "a number >= 0")
        if not isinstance(self.class_weights, str):
            require_class_weights(self.class_weights)
        else:
            require(self.class_weights == "hist", "class_weights", self.class_weights, "hist, or a list of numbers")

    def sets(self, target: Tensor, num_classes: int, radius: int | None = None) -> NeighbourSets:
        """The sets of these settings; ``radius`` replaces theirs."""
        radius = self.radius if radius is None else radius
        return neighbour_sets(target, num_classes, radius, self.void_center, self.strict_classes)

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Sum of the pixels' weights, float64 [1]; of no use (the number of images) when images are summed."""
        if self.reduction == "sum_images":
            return torch.full((1,), len(target), dtype=torch.float64, device=target.device)
        if self.class_weights is None and self.void_center == "ignore":
            return weight_sum(target, pixel_weights)[None]
        if not isinstance(self.class_weights, str | None):
            classes = len(self.class_weights)
        else:
            classes = 1 + int(target[target != IGNORE].max()) if bool((target != IGNORE).any()) else 1
        sets = self.sets(target, classes)
        return self._weights(target, sets, pixel_weights, self.radius, torch.float64).sum()[None]

    def _weights(
        self, target: Tensor, sets: NeighbourSets, pixel_weights: Tensor | None, radius: int, dtype: torch.dtype
    ) -> Tensor:
        weights = weight_map(sets.target, pixel_weights, dtype)
        if self.class_weights is None:
            return weights
        if isinstance(self.class_weights, str):
            by_class = set_class_weights(target, sets, radius, self.upper_bound)
        else:
            by_class = class_weights_like(self.class_weights, target, dtype).expand(len(target), -1)
        return weights * set_weight_map(by_class.to(dtype), sets)

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
        if not isinstance(self.class_weights, str | None) and len(self.class_weights) != logits.shape[1]:
            raise ValueError(f"{logits.shape[1]} class weights expected, got {len(self.class_weights)}")
        off = self.off_epoch is not None and epoch >= self.off_epoch
        radius = 0 if off else self.radius
        sets = self.sets(target, logits.shape[1], radius)
        losses = relaxed_cross_entropy_map(logits, sets)
        plain = pixel_weights is None and self.class_weights is None
        if not plain:
            losses = losses * self._weights(target, sets, pixel_weights, radius, losses.dtype)
        if off and self.off_boundary_weight != 1:
            boost = torch.ones_like(losses, requires_grad=False)
            boost.view(-1)[neighbour_sets(target, logits.shape[1], self.radius).boundary] = self.off_boundary_weight
            losses = losses * boost
        if self.reduction == "sum_images":
            trained = weight_map(sets.target, pixel_weights, losses.dtype).flatten(1).sum(1)
            return (losses.flatten(1).sum(1) / (trained + 1)).sum()
        return divide(losses.sum(), (self.counts(target, pixel_weights) if counts is None else counts)[0])
