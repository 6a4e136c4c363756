"""One label per pixel out of what both keyframes say, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.propagation.provenance import EARLIER, LATER, NONE
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides


@dataclass(frozen=True)
class Fused:
    """The result for one frame.

    Attributes:
        labels: uint8 ``[B, H, W]`` space index.
        confidence: float32 ``[B, H, W]`` in 0..1.
        provenance: uint8 ``[B, H, W]``, see :mod:`seglift.propagation.provenance`.
    """

    labels: Tensor
    confidence: Tensor
    provenance: Tensor


def side_cost(state: Propagated) -> Tensor:
    """How doubtful each pixel of a side is, float32 ``[B, H, W]``, lower is better."""
    if state.evidence is None:
        raise ValueError("the state has no evidence; walk with observe=True")
    photometric, support = state.evidence[:, 0], state.evidence[:, 1]
    cost = 0.5 * torch.log(state.error + 0.5) + torch.log(photometric + 4.0) - 2.0 * torch.log(support.clamp_min(1e-3))
    return cost + 4.0 * state.out_of_view


def fuse_motion(sides: BothSides, size: tuple[int, int], unknown: int) -> Fused:
    """..."""
    earlier, later = sides.earlier, sides.later
    if earlier is None or later is None:
        state = earlier or later
        if state is None:
            labels = torch.full((1, *size), unknown, dtype=torch.uint8)
            return Fused(labels, torch.zeros(1, *size), torch.full_like(labels, NONE))
        provenance = torch.full_like(state.labels, EARLIER if earlier is not None else LATER)
        return Fused(state.labels, torch.exp(-side_cost(state).clamp_min(0)), provenance)
    first = side_cost(earlier) <= side_cost(later)
    labels = torch.where(first, earlier.labels, later.labels)
    provenance = torch.where(first, EARLIER, LATER).to(torch.uint8)
    return Fused(labels, torch.full(labels.shape, 0.5), provenance)
