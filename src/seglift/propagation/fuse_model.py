"""Both keyframes and a segmentation model vote: the product's fusion of ``label --method inpaint``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.motion.consistency import photometric_error
from seglift.propagation.confidence import carried_support, voted_confidence
from seglift.propagation.evidence import reliability
from seglift.propagation.fuse import CHUNK, Fused
from seglift.propagation.provenance import EARLIER, LATER, MODEL
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides
from seglift.propagation.vote import add_votes

MODEL_WEIGHT = 0.03
"""The model's vote; a keyframe's is its reliability, about this much at half a pixel and 20 grey levels of error."""


@dataclass(frozen=True)
class ModelVote:
    """The model's part in the fusion.

    Attributes:
        labeller: the model.
        tau: a keyframe does not vote where it differs by this RGB distance (0..255 units) or more from the frame; None
            for no limit.
    """

    labeller: SemanticLabeller
    tau: float | None = None


def fuse_with_model(sides: BothSides, image: Tensor, vote: ModelVote) -> Fused:
    """Decides a frame from both keyframes and the model.

    Every pixel gets the label with the most votes: a keyframe votes with its labels around where the pixel lies in it
    (see :func:`seglift.propagation.vote.add_votes`), weighted by its reliability and not at all where the pixel was out
    of view; the model votes with its probabilities. Where all three say the same there is nothing to count.

    Args:
        sides: what was carried to the frame, observed.
        image: the frame, RGB uint8 ``[1, 3, H, W]``.
        vote: the model's part.
    """
    probabilities = vote.labeller.probabilities(image)
    certainty, train = probabilities.max(1)
    said = vote.labeller.to_index(train)
    states = [state for state in (sides.earlier, sides.later) if state is not None]
    if not states:
        return Fused(said, certainty, torch.full_like(said, MODEL))
    weights = [_weight(state, image, vote.tau) for state in states]
    labels, share = _count(states, weights, probabilities, said, vote.labeller)
    provenance, strongest = torch.full_like(said, MODEL), torch.zeros_like(certainty)
    for state, weight in zip(states, weights, strict=True):
        takes = (state.labels == labels) & (weight > strongest)
        provenance.masked_fill_(takes, EARLIER if state is sides.earlier else LATER)
        strongest = torch.where(takes, weight, strongest)
    return Fused(labels, voted_confidence(share), provenance)


def _weight(state: Propagated, image: Tensor, tau: float | None) -> Tensor:
    weight = reliability(state).masked_fill(state.out_of_view, 0.0)
    if tau is None:
        return weight
    return weight.masked_fill(photometric_error(image, state.origin.image, state.sampling_map) >= tau, 0.0)


def _count(
    states: list[Propagated], weights: list[Tensor], probabilities: Tensor, said: Tensor, labeller: SemanticLabeller
) -> tuple[Tensor, Tensor]:
    """The labels with the most votes, uint8 ``[1, H, W]``, and their share of the votes, float32 ``[1, H, W]``."""
    columns = labeller.class_indices().long().to(said.device)
    chances = probabilities[0].flatten(1)
    labels, differ = said.clone(), torch.zeros_like(said, dtype=torch.bool)
    share = MODEL_WEIGHT * probabilities.amax(1)
    total = torch.full_like(share, MODEL_WEIGHT)
    for state, weight in zip(states, weights, strict=True):
        differ |= state.labels != said
        share += weight * carried_support(state) / 255.0
        total += weight
    share /= total
    for pixels in torch.split(torch.nonzero(differ.flatten())[:, 0], CHUNK):
        votes = torch.zeros(len(pixels), labeller.space.num_indices, device=said.device)
        votes[:, columns] = MODEL_WEIGHT * chances[:, pixels].T
        for state, weight in zip(states, weights, strict=True):
            add_votes(votes, state, weight.flatten()[pixels], pixels)
        best = votes.max(1)
        labels.view(-1)[pixels] = best.indices.to(torch.uint8)
        share.view(-1)[pixels] = best.values / total.flatten()[pixels]
    return labels, share
