"""What a segmentation model's word is worth, by class: judged on the keyframes, where a human has drawn what is there.

A model that never says "truck" says "building" where trucks are; there its "building" is no evidence against a truck.
Dawid and Skene (1979) weigh annotators by such confusions; here the truth is known on the keyframes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.smooth import boundary, grow
from seglift.propagation.state import Origin

JUDGED_SHARE = 0.5
"""How much of the model's vote is given as it was judged; the rest as it was said, for keyframes do not show all."""
PRIOR_EXPONENT = 0.5
"""How much classes that are frequent on the keyframes are favoured: 0 not at all, 1 as often as they occur."""
BENEFIT = 1e-3
"""Share of all judged pixels by which each class counts as recognised before anything was seen of it."""
REMEMBERED = 8
"""Keyframes whose judgement is kept: more than threads work on at a time."""


@dataclass(frozen=True)
class ModelTrust:
    """Judges a model on keyframes; safe to share between threads.

    Attributes:
        labeller: the model.
    """

    labeller: SemanticLabeller
    _known: OrderedDict[int, tuple[Origin, Tensor]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def votes(self, origins: Sequence[Origin]) -> Tensor:
        """How a vote for each evaluated class is given.

        Args:
            origins: keyframes of batch size 1; none for a model that nobody judged.

        Returns:
            Float32 ``[K, C]`` for K space indices and C train ids: column c is the vote of a model that is certain of
            c, and sums to 1. Column c is likelier to favour index k the oftener the model says c where k was drawn.
        """
        said = self._as_said()
        if not origins:
            return said
        seen = torch.stack([self._confusion(origin) for origin in origins]).sum(0)
        if seen.sum() == 0:
            return said
        seen = seen / seen.sum()
        recognised = seen + BENEFIT * said
        frequency = seen.sum(1, keepdim=True) + BENEFIT * said.sum(1, keepdim=True)
        likelihood = recognised / recognised.sum(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        judged = likelihood * frequency**PRIOR_EXPONENT
        return (1 - JUDGED_SHARE) * said + JUDGED_SHARE * judged / judged.sum(0, keepdim=True)

    def _as_said(self) -> Tensor:
        """Every class for itself, float32 ``[K, C]``."""
        indices = self.labeller.class_indices().long()
        said = torch.zeros(self.labeller.space.num_indices, len(indices))
        said[indices, torch.arange(len(indices))] = 1.0
        return said

    def _confusion(self, origin: Origin) -> Tensor:
        """Sums of the model's probabilities by drawn label, float32 ``[K, C]``, away from edges of labels."""
        with self._lock:
            if id(origin) in self._known:
                return self._known[id(origin)][1]
        space, probabilities = self.labeller.space, self.labeller.probabilities(origin.image)[0]
        inside = ~grow(boundary(origin.labels), 1)[0] & (origin.labels[0] != space.unknown_index)
        confusion = torch.zeros(space.num_indices, len(probabilities))
        for index in torch.bincount(origin.labels[0][inside]).nonzero()[:, 0].tolist():
            confusion[index] = probabilities[:, inside & (origin.labels[0] == index)].sum(1).cpu()
        with self._lock:
            self._known[id(origin)] = origin, confusion
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return confusion
