"""Both keyframes and a segmentation model, weighed by Bayes' rule: the fusion of ``label --method inpaint``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.propagation.confidence import one_sided_confidence
from seglift.propagation.fuse import CHUNK, Fused
from seglift.propagation.provenance import EARLIER, LATER, MODEL
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides
from seglift.propagation.vote import add_votes

GAIN = 0.7
FLOOR = 0.1
PRIOR_POWER = 0.4
MOST_RELIABLE = 0.95
SMALLEST_PRIOR = 1e-3


@dataclass(frozen=True)
class ModelVote:
    """The model's part in the fusion.

    Attributes:
        labeller: the model.
        prior: float32 ``[K]``, how frequent each space index is.
        tau: keyframes do not vote where the photometric error exceeds it; None for no limit.
    """

    labeller: SemanticLabeller
    prior: Tensor
    tau: float | None = None

    @classmethod
    def of(cls, labeller: SemanticLabeller, frequency: NDArray[np.float64], tau: float | None) -> ModelVote:
        """From the share of each evaluated class on the keyframes, float64 ``[C]``."""
        shares = np.maximum(frequency, SMALLEST_PRIOR)
        prior = torch.full((labeller.space.num_indices,), SMALLEST_PRIOR)
        prior[labeller.class_indices().long()] = torch.from_numpy(shares / shares.sum()).float()
        return cls(labeller, prior, tau)


def fuse_with_model(sides: BothSides, image: Tensor, vote: ModelVote) -> Fused:
    """Decides a frame from both keyframes and the model.

    Args:
        sides: what was carried to the frame, observed.
        image: the frame, RGB uint8 ``[1, 3, H, W]``.
        vote: the model's part.
    """
    probabilities = vote.labeller.probabilities(image)
    confidence, train = probabilities.max(1)
    model_labels = vote.labeller.to_index(train)
    states = [state for state in (sides.earlier, sides.later) if state is not None]
    names = [n for state, n in ((sides.earlier, EARLIER), (sides.later, LATER)) if state is not None]
    if not states:
        return Fused(model_labels, confidence, torch.full_like(model_labels, MODEL))
    trust = [_trust(state, vote.tau) for state in states]
    labels = states[0].labels.clone()
    certainty = 1 - (1 - confidence) * torch.stack([1 - t for t in trust]).prod(0)
    differ = model_labels != labels
    for state in states[1:]:
        differ |= state.labels != labels
    pixels = torch.nonzero(differ.flatten())[:, 0]
    columns = vote.labeller.class_indices().long().to(labels.device)
    said = probabilities[0].permute(1, 2, 0).reshape(-1, len(columns))
    for chunk in torch.split(pixels, CHUNK):
        score = torch.full((len(chunk), len(vote.prior)), GAIN * float(np.log(FLOOR)), device=labels.device)
        score[:, columns] = GAIN * torch.log(said[chunk] + FLOOR)
        for state, reliable in zip(states, trust, strict=True):
            score += _evidence(state, reliable.flatten()[chunk], chunk, vote.prior)
        best = score.softmax(1).max(1)
        labels.view(-1)[chunk] = best.indices.to(torch.uint8)
        certainty.view(-1)[chunk] = best.values
    provenance = torch.full_like(labels, MODEL)
    strongest = torch.zeros_like(certainty)
    for state, name, reliable in zip(states, names, trust, strict=True):
        takes = (state.labels == labels) & (reliable > strongest)
        provenance = torch.where(takes, torch.full_like(provenance, name), provenance)
        strongest = torch.where(takes, reliable, strongest)
    return Fused(labels, certainty, provenance)


def _trust(state: Propagated, tau: float | None) -> Tensor:
    trust = one_sided_confidence(state).clamp_max(MOST_RELIABLE).masked_fill(state.out_of_view, 0.0)
    if tau is not None and state.photometric is not None:
        trust = trust.masked_fill(state.photometric > tau, 0.0)
    return trust


def _evidence(state: Propagated, trust: Tensor, pixels: Tensor, prior: Tensor) -> Tensor:
    votes = torch.zeros(len(pixels), len(prior), device=trust.device)
    add_votes(votes, state, torch.ones_like(trust), pixels)
    return torch.log1p(votes * (trust / (1 - trust))[:, None] / prior.to(trust.device) ** PRIOR_POWER)
