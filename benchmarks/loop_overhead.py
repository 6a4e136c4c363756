"""The training loop against a bare PyTorch loop (DESIGN, budgets).

    python benchmarks/loop_overhead.py [--steps 60] [--repeats 7] [--threads 2]

Both train the network of ``label --model auto`` (compact_unet) on the same random views of the same synthetic pictures,
by the same loader, loss and optimiser. ``fit`` is timed whole, with its checkpoints, rows and weights files; the bare
loop is the few lines of any tutorial. They run in turn, the ratio of times is taken pair by pair, the median counts.
CPU time of the process is given too: other work on the machine disturbs it less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.training.fit import fit
from seglift.training.fit_config import FitConfig
from seglift.training.sample import Sample
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe, SegmentationTask
from seglift.training.task import Batch, Part


class Views(Dataset[Batch]):
    """The task's batches, as any dataset."""

    def __init__(self, task: SegmentationTask) -> None:
        self.task = task

    def __getitem__(self, step: int) -> Batch:
        return self.task.batch(0, step, Part())


def make_task(steps: int) -> SegmentationTask:
    """Four noisy pictures of 360x480."""
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(4):
        label = np.kron(generator.integers(0, 11, (9, 12)), np.ones((40, 40))).astype(np.uint8)
        image = (label[..., None] * 20 + generator.integers(0, 40, (360, 480, 3))).astype(np.uint8)
        samples.append(Sample(image, label))
    config = FitConfig(steps=steps, schedule="constant", tensorboard=False)
    recipe = SegmentationRecipe(network=NetworkConfig("compact_unet"), fit=config, crop=(256, 320), batch=2)
    return SegmentationTask(samples, BUILTIN_SPACES["camvid11"], recipe)


def bare(task: SegmentationTask, config: FitConfig) -> None:
    """The loop of any tutorial."""
    network = task.trainable().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    for batch in DataLoader(Views(task), batch_size=None, sampler=range(config.steps)):
        optimizer.zero_grad()
        loss = task.criterion(network(batch["image"]), batch["label"], pixel_weights=batch["weight"])
        loss.backward()
        optimizer.step()


def ours(task: SegmentationTask, config: FitConfig) -> None:
    """The same by ``fit``."""
    with tempfile.TemporaryDirectory() as folder:
        fit(task, config, Path(folder), quiet=True)


def timed(work: Callable[[SegmentationTask, FitConfig], None], steps: int) -> tuple[float, float]:
    """Wall and CPU seconds of one run on a fresh network."""
    task = make_task(steps)
    before = time.perf_counter(), time.process_time()
    work(task, task.recipe.fit)
    return time.perf_counter() - before[0], time.process_time() - before[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for work in (bare, ours):
        timed(work, 3)
    pairs = []
    for repeat in range(given.repeats):
        order = (bare, ours) if repeat % 2 == 0 else (ours, bare)
        times = {work: timed(work, given.steps) for work in order}
        pairs.append([b / a for a, b in zip(times[bare], times[ours], strict=True)])
        seconds = f"bare {times[bare][0]:.2f} s, fit {times[ours][0]:.2f} s"
        print(f"{seconds}, wall x{pairs[-1][0]:.3f}, CPU x{pairs[-1][1]:.3f}")
    wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"median of {given.repeats} pairs, {given.steps} steps: wall x{wall:.3f}, CPU x{cpu:.3f} (wanted below 1.05)")


if __name__ == "__main__":
    main()
