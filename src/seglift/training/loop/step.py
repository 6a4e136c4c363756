"""One optimiser step: over the parts of a batch, in every process, as if it were one batch in one process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.seeding import derive_seed
from seglift.training.loop.average import WeightAverage
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.processes import sum_over_processes, this_process
from seglift.training.loop.task import Batch, Part, Task


class OptimizerSteps:
    """Takes optimiser steps, and keeps their losses on the device until someone looks.

    Args:
        task: gives the loss.
        config: learning rate, clipping, seed.
        fabric: wraps ``trainable`` and ``optimizer``.
        trainable: the network as Fabric wrapped it.
        optimizer: the optimiser as Fabric wrapped it.
        average: moving average of ``weights`` to keep up to date, if any.
    """

    def __init__(
        self,
        task: Task,
        config: FitConfig,
        fabric: Fabric,
        trainable: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: WeightAverage | None,
    ) -> None:
        self.task, self.config, self.fabric = task, config, fabric
        self.trainable, self.optimizer, self.average = trainable, optimizer, average
        self._processes = this_process().count
        self._steps_per_epoch = task.steps_per_epoch
        self._weights: Mapping[str, Tensor] = task.module.state_dict()
        self._unseen: list[Tensor] = []

    def take(self, step: int, parts: Sequence[tuple[Part, Batch]]) -> None:
        """Step number ``step`` (0, 1, ...) on this process's parts of its batch."""
        counts = torch.stack([self.task.counts(batch) for _, batch in parts]).sum(0)
        counts = sum_over_processes(counts)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate_at(step, self._steps_per_epoch)
        self.optimizer.zero_grad()
        losses = []
        for part, batch in parts:
            torch.manual_seed(derive_seed(self.config.seed, "step", step, part.index))
            last = part is parts[-1][0]
            with self.fabric.no_backward_sync(self.trainable, enabled=not last):
                loss = self.task.loss(self.trainable, batch, counts, step / self._steps_per_epoch)
                # Gradients are averaged over the processes; the losses of the parts have to be summed.
                self.fabric.backward(loss * self._processes)
            losses.append(loss.detach())
        if self.config.clip_norm is not None:
            self.fabric.clip_gradients(
                self.trainable, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self._weights, step)
        self._unseen.append(torch.stack(losses).sum())

    def look(self, step: int, stop: bool) -> tuple[list[float], bool]:
        """The losses of the steps since the last look, summed over the processes. This waits for the device.

        Args:
            step: steps taken so far.
            stop: whether this process wants to end the run.

        Returns:
            The losses, and whether any process wants to end the run.

        Raises:
            UserError: a loss is not finite; its step is named.
        """
        first = step - len(self._unseen) + 1
        wish = self._unseen[-1].new_tensor(float(stop))
        *losses, wishes = sum_over_processes(torch.stack([*self._unseen, wish])).tolist()
        self._unseen.clear()
        for number, loss in enumerate(losses, first):
            if not math.isfinite(loss):
                raise UserError(
                    f"the loss is {loss} at step {number}, expected a number; lower the learning rate, clip gradients"
                    " or look at the data of that step"
                )
        return losses, wishes > 0
