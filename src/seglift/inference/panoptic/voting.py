"""What the pixels of an instance say together: its class, and how sure they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 1 << 16
"""Pixels whose probabilities are computed together, which bounds memory."""


def vote(classes: Tensor, member: Tensor, count: int, num_train: int) -> tuple[Tensor, Tensor]:
    """The class that most pixels of each instance have, and its number within the class.

    Args:
        classes: uint8 [N], train ids of the thing pixels.
        member: int64 [N], the instance of each, 0..count-1.
        count: number K of instances, of which some may have no pixel.
        num_train: number C of classes.

    Returns:
        int64 [K] train ids (of equals, the lowest), and int64 [K] numbers 1, 2, ... in the order of the instances, 0
        for those without pixels.
    """
    votes = (member * num_train + classes).bincount(minlength=count * num_train).view(count, num_train)
    voted, there = votes.argmax(1), votes.sum(1) > 0
    own = F.one_hot(voted, num_train) * there[:, None]
    return voted, (own.cumsum(0) * own).sum(1)


def mean_probability(logits: Tensor, things: Tensor, voted: Tensor, member: Tensor) -> Tensor:
    """Mean softmax probability of each instance's class on its pixels.

    Args:
        logits: float32 [C, H, W].
        things: int64 [N], positions of the thing pixels in the flattened image.
        voted: int64 [K], the class of each instance.
        member: int64 [N], the instance of each thing pixel.

    Returns:
        float32 [K], 0 of instances without pixels.
    """
    flat = logits.flatten(1)
    total = torch.zeros(len(voted), dtype=torch.float64, device=logits.device)
    for pixels, instance in zip(torch.split(things, CHUNK), torch.split(member, CHUNK), strict=True):
        values = flat.index_select(1, pixels)
        own = values.gather(0, voted.index_select(0, instance)[None])[0]
        total.index_add_(0, instance, (own - values.logsumexp(0)).exp_().double())
    return (total / member.bincount(minlength=len(voted)).clamp_min(1)).to(logits.dtype)
