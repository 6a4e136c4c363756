"""A refiner that several threads share: on a GPU it is asked by one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from seglift.propagation.refiner import Refiner
from seglift.workflows.synthesize.take_turns import Lock


@dataclass(frozen=True)
class TurnTakingRefiner(Refiner):
    """A :class:`~seglift.propagation.refiner.Refiner` that waits for its turn.

    Attributes:
        lock: may be that of its model, which it asks during its turn.
    """

    lock: Lock

    @classmethod
    def of(cls, refiner: Refiner, lock: Lock) -> Self:
        """The same refiner, one call at a time."""
        return cls(refiner.network, refiner.model, refiner.space, refiner.about, lock)

    def logits(self, train: Tensor, warped: Tensor, image: Tensor) -> Tensor:
        """As the refiner's, one call at a time."""
        with self.lock:
            return super().logits(train, warped, image)
