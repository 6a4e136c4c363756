"""What the fit loop needs to know about a trainable thing."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

Batch = dict[str, Tensor]


class Task(Protocol):
    """A network, where its batches come from and what it should minimise. It must pickle if workers load batches."""

    @property
    def module(self) -> nn.Module:
        """The network to train, initial weights in place."""

    def batch(self, seed: int, step: int) -> Batch:
        """CPU tensors by name for one step; they depend on the data, ``seed`` and ``step`` alone."""

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """Scalar loss; ``module`` is the network as the loop wrapped it, ``batch`` is on its device."""

    def metadata(self) -> dict[str, Any]:
        """JSON-serialisable values needed to rebuild and use the network; stored with its weights."""

    def fingerprint(self) -> str:
        """Changes whenever the data or settings change what the trained weights will be."""
