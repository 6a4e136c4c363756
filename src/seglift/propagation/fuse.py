"""One label for every pixel out of what both keyframes say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.propagation.confidence import one_sided_confidence, two_sided_confidence
from seglift.propagation.evidence import reliability
from seglift.propagation.provenance import EARLIER, LATER, NONE
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides
from seglift.propagation.vote import add_votes

CHUNK = 1 << 15
"""Pixels voted on at a time, to bound memory."""


@dataclass(frozen=True)
class Fused:
    """The result for one frame.

    Attributes:
        labels: uint8 ``[1, H, W]`` space index.
        confidence: float32 ``[1, H, W]`` in 0..1.
        provenance: uint8 ``[1, H, W]``, see :mod:`seglift.propagation.provenance`.
    """

    labels: Tensor
    confidence: Tensor
    provenance: Tensor


def fuse_both(earlier: Propagated, later: Propagated, num_indices: int) -> Fused:
    """Keeps what both sides say; where they differ, a vote by reliability decides.

    Args:
        earlier: from the earlier keyframe, observed, batch size 1.
        later: from the later keyframe, observed.
        num_indices: space indices are below it.
    """
    weights = reliability(earlier), reliability(later)
    labels = earlier.labels.clone()
    flat, differ = labels.view(-1), torch.nonzero(earlier.labels.flatten() != later.labels.flatten())[:, 0]
    for pixels in torch.split(differ, CHUNK):
        votes = torch.zeros(len(pixels), num_indices, device=labels.device)
        for state, weight in zip((earlier, later), weights, strict=True):
            add_votes(votes, state, weight.flatten()[pixels], pixels)
        flat[pixels] = votes.argmax(1).to(torch.uint8)
    is_earlier, is_later = labels == earlier.labels, labels == later.labels
    from_earlier = torch.where(is_earlier == is_later, weights[0] >= weights[1], is_earlier)
    confidence = two_sided_confidence(earlier, later, from_earlier, differ, weights)
    return Fused(labels, confidence, torch.where(from_earlier, EARLIER, LATER).to(torch.uint8))


def fuse_motion(sides: BothSides, nothing: Fused, num_indices: int) -> Fused:
    """Decides a frame from motion alone.

    Args:
        sides: what was carried to the frame, observed.
        nothing: what to say where neither side says anything.
        num_indices: space indices are below it.
    """
    earlier, later = sides.earlier, sides.later
    if earlier is not None and later is not None:
        return fuse_both(earlier, later, num_indices)
    if earlier is not None:
        return Fused(earlier.labels, one_sided_confidence(earlier), torch.full_like(earlier.labels, EARLIER))
    if later is not None:
        return Fused(later.labels, one_sided_confidence(later), torch.full_like(later.labels, LATER))
    return nothing


def know_nothing(size: tuple[int, int], unknown: int, device: torch.device | str = "cpu") -> Fused:
    """A frame that nobody says anything about: ``unknown`` (a space index) everywhere, at confidence 0."""
    labels = torch.full((1, *size), unknown, dtype=torch.uint8, device=device)
    return Fused(labels, torch.zeros(labels.shape, device=device), torch.full_like(labels, NONE))
