"""The one training loop: a fixed number of steps, deterministic from the seed, resumable to the same bytes.

On a CPU the same seed gives the same weights for the same library versions and the same number of threads (the order
of summation follows the threads); the loop leaves their number as it finds it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, Dataset

from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, remove_leftovers
from seglift.base.progress import ProgressBar
from seglift.base.seeding import derive_seed
from seglift.base.weights import load_weights, save_weights
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.training.average import WeightAverage
from seglift.training.fit_config import FitConfig, make_optimizer
from seglift.training.snapshot import Progress, load_snapshot, save_snapshot
from seglift.training.task import Batch, Task

SNAPSHOT_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class FitResult:
    """What :func:`fit` left.

    Attributes:
        weights: the file of the trained weights.
        steps: optimiser steps they have behind them.
        stopped_at_step: equal to ``steps`` where the cap on time ended the run, else None.
    """

    weights: Path
    steps: int
    stopped_at_step: int | None


def fit(
    task: Task, config: FitConfig, out: Path, device: str = "cpu", quiet: bool = False, title: str = "training"
) -> FitResult:
    """Trains ``task.module`` and writes its weights to ``out/best.safetensors``.

    A killed run continues from ``out/checkpoint.safetensors`` when called again and ends with the same bytes as an
    undisturbed one; a finished run is not repeated. Every random choice of step s follows from the seed and s.

    Args:
        task: network, batches and loss.
        config: length, optimiser, seed.
        out: folder for weights and checkpoint; created.
        device: ``cpu``, ``cuda``, ``cuda:N``, ``mps`` or ``auto``.
        quiet: no progress bar.
        title: what the progress bar says.

    Raises:
        UserError: the loss is not finite (the step is named, the last checkpoint stays), ``out`` holds a run with other
            data or settings, ``out`` cannot be written, or there is no such device.
    """
    weights, snapshot = out / WEIGHTS_NAME, out / SNAPSHOT_NAME
    fingerprint = fingerprint_values(task.fingerprint(), config.shaping())
    remove_leftovers(out)
    if weights.exists():
        result = _finished(weights, fingerprint)
        snapshot.unlink(missing_ok=True)
        return result
    fabric = make_fabric(device)
    network = task.module
    with _reproducible(fabric.device):
        # Fabric moves the network before the average copies it.
        module, optimizer = fabric.setup(network, make_optimizer(config, network))
        average = None if config.average is None else WeightAverage(network.state_dict(), config.average)
        progress = Progress()
        if snapshot.exists():
            progress = load_snapshot(snapshot, network, optimizer.optimizer, average, fingerprint)
        steps = Steps(task, config, fabric, module, optimizer, average, progress)
        with ProgressBar(config.steps, title, "steps", done=progress.step, quiet=quiet) as bar:
            for loss in steps:
                bar.advance(note=f"loss {loss:.3f}")
                if steps.ended or progress.step % config.checkpoint_every == 0:
                    save_snapshot(snapshot, network, optimizer.optimizer, average, progress, fingerprint)
    network.eval()
    state = network.state_dict() if average is None else average.tensors
    run = config.shaping() | {"steps": progress.step, "stopped_at_step": progress.stopped_at_step}
    save_weights(weights, dict(state), {**task.metadata(), "training": run, "fingerprint": fingerprint})
    snapshot.unlink(missing_ok=True)
    return FitResult(weights, progress.step, progress.stopped_at_step)


class Steps:
    """Does one optimiser step each time it is asked for the next loss, and keeps ``progress`` up to date."""

    def __init__(
        self,
        task: Task,
        config: FitConfig,
        fabric: Fabric,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: WeightAverage | None,
        progress: Progress,
    ) -> None:
        self.task, self.config, self.fabric = task, config, fabric
        self.module, self.optimizer, self.average, self.progress = module, optimizer, average, progress

    @property
    def ended(self) -> bool:
        """Whether no step is left to do."""
        return self.progress.step >= self.config.steps or self.progress.stopped_at_step is not None

    def __iter__(self) -> Iterator[float]:
        if self.ended:
            return
        started = time.monotonic() - self.progress.seconds
        self.module.train()
        remaining = range(self.progress.step, self.config.steps)
        batches = _BatchOfStep(self.task, self.config.seed)
        loader = DataLoader(batches, batch_size=None, sampler=remaining, num_workers=self.config.workers)
        for step, batch in zip(remaining, loader, strict=True):
            loss = self._take(step, self.fabric.to_device(batch))
            self.progress.step = step + 1
            self.progress.seconds = time.monotonic() - started
            if self.config.minutes is not None and self.progress.seconds >= 60 * self.config.minutes and not self.ended:
                self.progress.stopped_at_step = self.progress.step
            yield loss
            if self.ended:
                return

    def _take(self, step: int, batch: Batch) -> float:
        torch.manual_seed(derive_seed(self.config.seed, "step", step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate_at(step)
        self.optimizer.zero_grad()
        loss = self.task.loss(self.module, batch)
        value = float(loss.detach())
        if not abs(value) < float("inf"):
            raise UserError(
                f"the loss is {value} at step {step + 1}, expected a number; lower the learning rate, clip gradients"
                " or look at the data of that step"
            )
        self.fabric.backward(loss)
        if self.config.clip_norm is not None:
            self.fabric.clip_gradients(self.module, self.optimizer, max_norm=self.config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.task.module.state_dict(), step)
        return value


class _BatchOfStep(Dataset[Batch]):
    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed

    def __getitem__(self, step: int) -> Batch:
        return self.task.batch(self.seed, step)


def make_fabric(device: str) -> Fabric:
    """Fabric on one device, given as torch names it, or ``auto``.

    Raises:
        UserError: there is no such device here.
    """
    kind, _, index = resolve_device(device).partition(":")
    return Fabric(accelerator=kind, devices=[int(index)] if index else 1)


def _finished(weights: Path, fingerprint: str) -> FitResult:
    _, metadata = load_weights(weights)
    if metadata.get("fingerprint") != fingerprint:
        raise UserError(
            f"{weights} was trained with other data or settings; choose another output folder or overwrite it"
        )
    run = metadata["training"]
    return FitResult(weights, run["steps"], run["stopped_at_step"])


@contextlib.contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms where they exist and a private random state, both put back at the end."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(device.type == "cpu" or before[0], warn_only=device.type != "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
