"""Both keyframes and a segmentation model vote: the product's fusion of ``label --method inpaint`` and ``refine``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from seglift.motion.consistency import photometric_error
from seglift.propagation.confidence import carried_support
from seglift.propagation.evidence import leave_silence, reliability
from seglift.propagation.fuse import CHUNK, Fused
from seglift.propagation.model_trust import ModelTrust
from seglift.propagation.provenance import EARLIER, LATER, MODEL, REFINER
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.smooth import boundary, grow, smooth_votes
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides
from seglift.propagation.vote import add_votes

MODEL_WEIGHT = 0.03
"""The model's vote; a keyframe's is its reliability, about this much at half a pixel and 20 grey levels of error."""
OUT_OF_VIEW_WEIGHT = MODEL_WEIGHT / 3
"""The vote of a keyframe's replicated border: it decides only where the model is in doubt, or was judged unreliable."""


@dataclass(frozen=True)
class ModelVote:
    """The model's part in the fusion.

    Attributes:
        labeller: the model.
        tau: a keyframe does not vote where it differs by this RGB distance (0..255 units) or more from the frame; None
            for no limit.
        along_edges: whether votes near edges of labels are smoothed along the frame's own edges (see
            :func:`seglift.propagation.smooth.smooth_votes`).
    """

    labeller: SemanticLabeller
    tau: float | None = None
    along_edges: bool = False

    @cached_property
    def trust(self) -> ModelTrust:
        """Judges the model on the keyframes."""
        return ModelTrust(self.labeller)


def fuse_with_model(sides: BothSides, image: Tensor, vote: ModelVote) -> Fused:
    """Decides a frame from both keyframes and the model.

    Every pixel gets the label with the most votes: a keyframe votes with its labels around where the pixel lies in it
    (see :func:`seglift.propagation.vote.add_votes`), weighted by its reliability, and hardly where the pixel was out of
    view; the model votes with its probabilities, as far as it can be trusted by what it says of the keyframes
    (:class:`seglift.propagation.model_trust.ModelTrust`). Where all three say the same there is nothing to count.

    Args:
        sides: what was carried to the frame, observed.
        image: the frame, RGB uint8 ``[1, 3, H, W]``.
        vote: the model's part.

    Returns:
        The labels; ``REFINER`` is the provenance of those that smoothing changed.
    """
    probabilities = vote.labeller.probabilities(image)
    certainty, train = probabilities.max(1)
    said = vote.labeller.to_index(train)
    states = [state for state in (sides.earlier, sides.later) if state is not None]
    if not states and not vote.along_edges:
        return Fused(said, certainty, torch.full_like(said, MODEL))
    unknown = vote.labeller.space.unknown_index
    weights = [
        leave_silence(_weight(state, image, vote.tau), state, states[1 - number] if len(states) == 2 else None, unknown)
        for number, state in enumerate(states)
    ]
    model = MODEL_WEIGHT * vote.trust.votes([state.origin for state in states]).to(image.device)
    ballot = _Ballot(states, weights, probabilities, said, model)
    labels, share = ballot.count()
    provenance, strongest = torch.full_like(said, MODEL), torch.zeros_like(certainty)
    smoothed = torch.zeros_like(said, dtype=torch.bool)
    if vote.along_edges:
        voted = labels.clone()
        _smooth(ballot, image, labels, share)
        smoothed = labels != voted
    for state, weight in zip(states, weights, strict=True):
        takes = (state.labels == labels) & (weight > strongest) & ~(state.out_of_view & (labels == said))
        provenance.masked_fill_(takes, EARLIER if state is sides.earlier else LATER)
        strongest = torch.where(takes, weight, strongest)
    return Fused(labels, share, provenance.masked_fill_(smoothed, REFINER))


def _weight(state: Propagated, image: Tensor, tau: float | None) -> Tensor:
    weight = reliability(state).masked_fill(state.out_of_view, OUT_OF_VIEW_WEIGHT)
    if tau is None:
        return weight
    return weight.masked_fill(photometric_error(image, state.origin.image, state.sampling_map) >= tau, 0.0)


@dataclass(frozen=True)
class _Ballot:
    """Who votes on one frame.

    Attributes:
        states: what keyframes say.
        weights: of each state, float32 ``[1, H, W]``.
        probabilities: what the model says, float32 ``[1, C, H, W]``.
        said: the model's likeliest label, uint8 ``[1, H, W]`` space index.
        model: the vote of a model that is certain of a class, float32 ``[K, C]``; a column for each class.
    """

    states: list[Propagated]
    weights: list[Tensor]
    probabilities: Tensor
    said: Tensor
    model: Tensor

    @cached_property
    def total(self) -> Tensor:
        """Weight of all votes, float32 ``[1, H, W]``."""
        total = torch.full_like(self.said, MODEL_WEIGHT, dtype=torch.float32)
        for weight in self.weights:
            total += weight
        return total

    @cached_property
    def differ(self) -> Tensor:
        """Where not all say the same, bool ``[1, H, W]``."""
        differ = torch.zeros_like(self.said, dtype=torch.bool)
        for state in self.states:
            differ |= state.labels != self.said
        return differ

    def votes(self, pixels: Tensor) -> Tensor:
        """Shares of the votes, float32 ``[N, K]`` for K space indices, of N pixels (int64, flat indices)."""
        votes = self.probabilities[0].flatten(1)[:, pixels].T @ self.model.T
        for state, weight in zip(self.states, self.weights, strict=True):
            add_votes(votes, state, weight.flatten()[pixels], pixels)
        return votes.div_(self.total.flatten()[pixels, None])

    def count(self) -> tuple[Tensor, Tensor]:
        """The labels with the most votes, uint8 ``[1, H, W]``, and their share, float32 ``[1, H, W]``.

        Where all say the same the share is one of all votes, elsewhere one of those for this label and the second.
        """
        share = MODEL_WEIGHT * self.probabilities.amax(1)
        for state, weight in zip(self.states, self.weights, strict=True):
            share += weight * carried_support(state) / 255.0
        share /= self.total
        labels = self.said.clone()
        for pixels in torch.split(torch.nonzero(self.differ.flatten())[:, 0], CHUNK):
            _decide(self.votes(pixels), pixels, labels, share)
        return labels, share


def _decide(votes: Tensor, pixels: Tensor, labels: Tensor, share: Tensor) -> None:
    """Writes in place what the votes, float32 ``[N, K]``, say of N pixels: the winner and its share of the best two."""
    best = votes.topk(min(2, votes.shape[1]), 1)  # a space may have a single index
    labels.view(-1)[pixels] = best.indices[:, 0].to(torch.uint8)
    share.view(-1)[pixels] = best.values[:, 0] / best.values.sum(1)


def _smooth(ballot: _Ballot, image: Tensor, labels: Tensor, share: Tensor) -> None:
    """Decides anew, in place, around edges of labels: ``labels`` uint8 and ``share`` float32, ``[1, H, W]``."""
    undecided = grow(ballot.differ | boundary(ballot.said))
    asked = torch.nonzero(grow(undecided).flatten())[:, 0]
    if not len(asked):
        return
    votes = torch.cat([ballot.votes(pixels) for pixels in torch.split(asked, CHUNK)])
    rows = torch.zeros(labels.numel(), dtype=torch.int64, device=labels.device)
    rows[asked] = torch.arange(len(asked), device=labels.device)
    for pixels in torch.split(torch.nonzero(undecided.flatten())[:, 0], CHUNK):
        _decide(smooth_votes(votes, rows, image, pixels), pixels, labels, share)
