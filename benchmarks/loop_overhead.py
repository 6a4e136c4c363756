"""The training loop against a bare PyTorch loop (DESIGN, budgets).

    python benchmarks/loop_overhead.py [--steps 60] [--repeats 7] [--threads 2]

Both train the network of ``label --model auto`` (compact_unet) on the same random views of the same synthetic pictures,
by the same loader, loss and optimiser. ``fit`` is timed whole, with its checkpoints, rows and weights files; the bare
loop is the few lines of any tutorial. The two take turns step by step, so that other work on the machine disturbs both
alike: whenever ``fit`` asks for a batch, the bare loop takes a step, whose time is not ``fit``'s. The ratio of the sums
of a run counts, and of several runs the median.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe, SegmentationTask

Kind = TypeVar("Kind", bound=SegmentationTask)


class Views(Dataset[Batch]):
    """The task's batches, as any dataset."""

    def __init__(self, task: SegmentationTask) -> None:
        self.task = task

    def __getitem__(self, step: int) -> Batch:
        return self.task.batch(0, step, Part())


def make_task(kind: type[Kind], steps: int) -> Kind:
    """Four noisy pictures of 360x480."""
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(4):
        label = np.kron(generator.integers(0, 11, (9, 12)), np.ones((40, 40))).astype(np.uint8)
        image = (label[..., None] * 20 + generator.integers(0, 40, (360, 480, 3))).astype(np.uint8)
        samples.append(Sample(image, label))
    config = FitConfig(steps=steps, schedule="constant", tensorboard=False)
    recipe = SegmentationRecipe(network=NetworkConfig("compact_unet"), fit=config, crop=(256, 320), batch=2)
    return kind(samples, BUILTIN_SPACES["camvid11"], recipe)


def bare_steps(task: SegmentationTask, config: FitConfig) -> Iterator[None]:
    """The loop of any tutorial, a step at a time."""
    network = task.trainable().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    for batch in DataLoader(Views(task), batch_size=None, sampler=range(config.steps)):
        optimizer.zero_grad()
        loss = task.criterion(network(batch["image"]), batch["label"], pixel_weights=batch["weight"])
        loss.backward()
        optimizer.step()
        yield


class InTurn(SegmentationTask):
    """Lets the bare loop take a step before each of its own."""

    bare: Iterator[None]
    bare_wall = bare_cpu = 0.0

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """One step of the bare loop, then the batch."""
        wall, cpu, strict = time.perf_counter(), time.process_time(), torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
        next(self.bare)
        torch.use_deterministic_algorithms(strict)
        self.bare_wall += time.perf_counter() - wall
        self.bare_cpu += time.process_time() - cpu
        return super().batch(seed, step, part)


def ratios(steps: int) -> tuple[float, float]:
    """Time of ``fit`` over time of the bare loop: on the wall, and of the CPU."""
    task = make_task(InTurn, steps)
    task.bare = bare_steps(make_task(SegmentationTask, steps), task.recipe.fit)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        fit(task, task.recipe.fit, Path(folder), quiet=True)
        wall, cpu = time.perf_counter() - wall - task.bare_wall, time.process_time() - cpu - task.bare_cpu
    print(f"bare {task.bare_wall:.2f} s, fit {wall:.2f} s; CPU {task.bare_cpu:.2f} s, {cpu:.2f} s")
    return wall / task.bare_wall, cpu / task.bare_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    ratios(3)
    wall, cpu = zip(*(ratios(given.steps) for _ in range(given.repeats)), strict=True)
    print(
        f"median of {given.repeats} runs of {given.steps} steps: wall x{statistics.median(wall):.3f},"
        f" CPU x{statistics.median(cpu):.3f} (wanted below 1.05)"
    )


if __name__ == "__main__":
    main()
