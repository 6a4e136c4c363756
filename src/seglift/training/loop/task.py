"""What the fit loop needs to know about a trainable thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Part:
    """One of ``count`` shares of something, number ``index`` (0..count-1): of a batch, or of the images to evaluate."""

    index: int = 0
    count: int = 1

    def share(self, total: int) -> range:
        """The members (of 0..total-1) that belong to this part: neighbours, sizes equal or one apart.

        Raises:
            UserError: there are fewer members than parts.
        """
        if total < self.count:
            raise UserError(
                f"a batch of {total} cannot be shared by {self.count} processes and accumulated parts;"
                " enlarge the batch, start fewer processes or accumulate less"
            )
        return range(total * self.index // self.count, total * (self.index + 1) // self.count)


class Task(Protocol):
    """A network, where its batches come from and what it should minimise. It must pickle if workers load batches."""

    @property
    def module(self) -> nn.Module:
        """The network whose state dict is kept, initial weights in place."""

    def trainable(self) -> nn.Module:
        """What the loop moves, wraps and hands to :meth:`loss`: images to a dict of logits, around :attr:`module`."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch, at least 1."""

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """CPU tensors by name for one part of the batch of ``step``.

        They depend on the data, ``seed``, ``step`` and ``part`` alone, and the parts of a step are together the same
        batch whatever their count: each of its members is drawn by a random stream of its own.
        """

    def counts(self, batch: Batch) -> Tensor:
        """What each of the loss's K terms is divided by, [K], from the labels alone; those of the parts add up."""

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """This part's share of the loss of the whole batch, a scalar; the shares add up to it.

        Args:
            trainable: what :meth:`trainable` gave, as the loop wrapped it.
            batch: the part, on the network's device.
            counts: :meth:`counts` of the whole batch.
            epoch: epochs done, with their fraction.
        """

    def validate(self, device: torch.device) -> Mapping[str, float] | None:
        """Scores of :attr:`module` as it is now, in evaluation mode on ``device``; the first one, the higher the
        better, says which weights are kept as the best. None: there is nothing to validate on.

        Every process calls it; the scores of the first count. Work is shared with
        ``this_process`` and ``sum_over_processes`` of :mod:`seglift.training.loop.processes`.
        """

    def metadata(self) -> dict[str, Any]:
        """JSON-serialisable values needed to rebuild and use the network; stored with its weights."""

    def fingerprint(self) -> str:
        """Changes whenever the data or settings change what the trained weights will be."""
