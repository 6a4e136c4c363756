"""One label for every pixel out of what both keyframes say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.propagation.confidence import one_sided_confidence, two_sided_confidence
from seglift.propagation.evidence import leave_silence, reliability
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


def fuse_both(
    earlier: Propagated,
    later: Propagated,
    num_indices: int,
    recursive: bool = False,
    void: bool = False,
    unknown: int | None = None,
) -> Fused:
    """Keeps what both sides say; where they differ, a vote by reliability decides.

    Args:
        earlier: from the earlier keyframe, observed, batch size 1.
        later: from the later keyframe, observed.
        num_indices: space indices are below it.
        recursive: the labels were warped at every step, so that the keyframe cannot be read between its pixels: the
            more reliable side wins.
        void: a side has nothing to say where it was out of view, instead of its replicated border.
        unknown: space index of void, which a keyframe that is hardly drawn does not mean (see
            :func:`seglift.propagation.evidence.leave_silence`); None to take every keyframe at its word.
    """
    weights = reliability(earlier), reliability(later)
    if unknown is not None:
        weights = (
            leave_silence(weights[0], earlier, later, unknown),
            leave_silence(weights[1], later, earlier, unknown),
        )
    if void:
        weights = weights[0].masked_fill(earlier.out_of_view, 0.0), weights[1].masked_fill(later.out_of_view, 0.0)
    labels = torch.where(weights[0] >= weights[1], earlier.labels, later.labels)
    flat, differ = labels.view(-1), torch.nonzero(earlier.labels.flatten() != later.labels.flatten())[:, 0]
    for pixels in torch.split(differ, CHUNK) if not recursive else ():
        votes = torch.zeros(len(pixels), num_indices, device=labels.device)
        for state, weight in zip((earlier, later), weights, strict=True):
            add_votes(votes, state, weight.flatten()[pixels], pixels)
        flat[pixels] = votes.argmax(1).to(torch.uint8)
    is_earlier, is_later = labels == earlier.labels, labels == later.labels
    from_earlier = torch.where(is_earlier == is_later, weights[0] >= weights[1], is_earlier)
    confidence = two_sided_confidence(earlier, later, from_earlier, differ, weights)
    fused = Fused(labels, confidence, torch.where(from_earlier, EARLIER, LATER).to(torch.uint8))
    return leave_void(fused, earlier.out_of_view & later.out_of_view) if void else fused


def fuse_motion(
    sides: BothSides,
    nothing: Fused,
    num_indices: int,
    recursive: bool = False,
    void: bool = False,
    unknown: int | None = None,
) -> Fused:
    """Decides a frame from motion alone.

    Args:
        sides: what was carried to the frame, observed.
        nothing: what to say where neither side says anything.
        num_indices: space indices are below it.
        recursive: see :func:`fuse_both`.
        void: see :func:`fuse_both`.
        unknown: see :func:`fuse_both`.
    """
    earlier, later = sides.earlier, sides.later
    if earlier is not None and later is not None:
        return fuse_both(earlier, later, num_indices, recursive, void, unknown)
    state, name = (earlier, EARLIER) if earlier is not None else (later, LATER)
    if state is None:
        return nothing
    fused = Fused(state.labels, one_sided_confidence(state), torch.full_like(state.labels, name))
    return leave_void(fused, state.out_of_view) if void else fused


def leave_void(fused: Fused, unseen: Tensor) -> Fused:
    """Says of ``unseen`` pixels (bool ``[1, H, W]``), whose labels are void already, that nobody labelled them."""
    return Fused(fused.labels, fused.confidence.masked_fill(unseen, 0.0), fused.provenance.masked_fill(unseen, NONE))


def know_nothing(size: tuple[int, int], unknown: int, device: torch.device | str = "cpu") -> Fused:
    """A frame that nobody says anything about: ``unknown`` (a space index) everywhere, at confidence 0."""
    labels = torch.full((1, *size), unknown, dtype=torch.uint8, device=device)
    return Fused(labels, torch.zeros(labels.shape, device=device), torch.full_like(labels, NONE))
