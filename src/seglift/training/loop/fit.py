"""The one training loop: a fixed number of steps, deterministic from the seed, resumable to the same bytes.

On a CPU the same seed gives the same weights for the same library versions and the same number of threads (the order
of summation follows the threads); the loop leaves their number as it finds it. Under ``torchrun`` every process runs
it, each with its share of every batch, and the first one writes.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch.utils import deterministic

from seglift.base.files import fingerprint_values
from seglift.base.progress import ProgressBar
from seglift.training.loop.average import WeightAverage
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.loading import load_steps
from seglift.training.loop.log import MetricsLog
from seglift.training.loop.optimizers import make_optimizer
from seglift.training.loop.processes import (
    ends_with_the_others,
    make_fabric,
    share_batch_norm,
    tell_separate_batch_norm,
)
from seglift.training.loop.run_files import FitResult, RunFiles
from seglift.training.loop.snapshot import RunState
from seglift.training.loop.step import OptimizerSteps
from seglift.training.loop.task import Task
from seglift.training.loop.validation import validate

ALWAYS_READY = ("cpu",)
"""Devices on which a loss can be looked at after each step without waiting for anything."""


@ends_with_the_others()
def fit(
    task: Task, config: FitConfig, out: Path, device: str = "cpu", quiet: bool = False, title: str = "training"
) -> FitResult:
    """Trains ``task.module`` and writes its weights to ``out``.

    ``best.safetensors`` holds the weights of the best validation (of the last step where nothing is validated),
    ``last.safetensors`` those of the last step, ``metrics.csv`` and ``tensorboard/`` the course of the training. A
    killed run continues from ``out/checkpoint.safetensors`` when called again and ends with the same weights, byte for
    byte on a CPU, and the same rows but for their seconds as an undisturbed one; a finished run is not repeated. Every
    random choice of step s follows from the seed and s.

    Under ``torchrun`` all processes call it with the same arguments; they must see the same ``out``.

    Args:
        task: network, batches and loss.
        config: length, optimiser, seed.
        out: folder for weights and checkpoint; created.
        device: ``cpu``, ``cuda``, ``cuda:N``, ``mps`` or ``auto``.
        quiet: no progress bar.
        title: what the progress bar says.

    Raises:
        UserError: the loss is not finite (the step is named, the last checkpoint stays), ``out`` holds a run with other
            data or settings, ``out`` cannot be written, or there is no such device or precision.
    """
    config = config.resolved(task.steps_per_epoch)
    fabric = make_fabric(device, config.precision)
    fingerprint = fingerprint_values(task.fingerprint(), config.shaping())
    files = RunFiles(out, fingerprint, task.metadata(), config.shaping(), writes=fabric.is_global_zero)
    result = files.result()
    if result is None:
        with _reproducible(fabric.device):
            steps, state = _start(task, config, fabric, quiet)
            files.resume(state)
            done, first = state.progress.step, fabric.is_global_zero
            with (
                ProgressBar(config.steps, title, "steps", done=done, quiet=quiet or not first) as bar,
                MetricsLog(out if first else None, done, config.tensorboard) as log,
            ):
                _train(task, config, fabric, steps, state, files, log, bar)
        task.module.eval()
        result = files.finish(state)
        fabric.barrier()
    return result


def _start(task: Task, config: FitConfig, fabric: Fabric, quiet: bool) -> tuple[OptimizerSteps, RunState]:
    """Everything on its device, initial weights in place."""
    trainable, network = task.trainable(), task.module
    if config.sync_batch_norm:
        share_batch_norm(trainable, fabric.device)
    elif not quiet:
        tell_separate_batch_norm(trainable, fabric.device)
    # Fabric moves the network before the average copies it.
    wrapped, optimizer = fabric.setup(trainable, make_optimizer(config, network))
    average = None if config.average is None else WeightAverage(network.state_dict(), config.average)
    state = RunState(network, optimizer.optimizer, average, fabric.strategy.precision)
    return OptimizerSteps(task, config, fabric, wrapped, optimizer, average), state


def _train(
    task: Task,
    config: FitConfig,
    fabric: Fabric,
    steps: OptimizerSteps,
    state: RunState,
    files: RunFiles,
    log: MetricsLog,
    bar: ProgressBar,
) -> None:
    """The loop. Looking at a loss waits for the device, so a GPU's are looked at only when something is due."""
    progress, validate_every = state.progress, config.validate_every or config.steps
    if progress.ended(config.steps):
        return
    started, note = time.monotonic() - progress.seconds, ""
    steps.trainable.train()
    for step, parts in load_steps(task, config, progress.step, fabric.device):
        steps.take(step, parts)
        progress.step, progress.seconds = step + 1, time.monotonic() - started

        rhythm = (validate_every, config.log_every, config.checkpoint_every)
        validates, logs, saves = (progress.step % every == 0 or progress.step == config.steps for every in rhythm)
        if validates or logs or saves or fabric.device.type in ALWAYS_READY:
            over = config.minutes is not None and progress.seconds >= 60 * config.minutes
            losses, over = steps.look(progress.step, over)
            progress.losses += losses
            note = f"loss {losses[-1]:.3f}"
            if over and progress.step < config.steps:
                progress.stopped_at_step = progress.step
                validates = logs = saves = True

        scores = validate(task, state, fabric) if validates else None
        if scores is not None and progress.note_scores(scores):
            files.keep_best(state)
            saves = True
        if logs or scores is not None:
            epoch, rate = progress.step / task.steps_per_epoch, config.learning_rate_at(step, task.steps_per_epoch)
            values = {"epoch": epoch, "learning_rate": rate, "loss": statistics.fmean(progress.losses)}
            log.write(progress.step, values, scores or {}, progress.seconds)
            progress.losses.clear()
        if saves:
            files.checkpoint(state)
        if validates:
            validate_every = config.steps if scores is None else validate_every  # once none, always none
            steps.trainable.train()
        bar.advance(note=note)
        if progress.ended(config.steps):
            return


@contextlib.contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms where they exist and a private random state, both put back at the end."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fills = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(device.type == "cpu" or before[0], warn_only=device.type != "cpu")
        # Filling fresh memory with NaN finds reads of it, at the cost of a pass over every result.
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
