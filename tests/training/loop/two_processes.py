"""A script for ``torchrun``: trainings of a tiny network in several processes; see ``test_processes.py``.

torchrun --nproc-per-node 2 two_processes.py FOLDER
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.labels.space import LabelClass, LabelSpace
from seglift.models.network import SegmentationNetwork
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.processes import sum_over_processes, this_process
from seglift.training.loop.task import Batch, Part
from seglift.training.segmentation import SegmentationRecipe, SegmentationTask

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "grass", (0, 200, 0), 0, "flat", False),
        LabelClass(1, "pond", (0, 0, 200), 1, "flat", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)
CONFIG = FitConfig(
    steps=7,
    optimizer="sgd",
    learning_rate=0.3,
    schedule="poly",
    clip_norm=1.0,
    average=0.9,
    validate_every=3,
    checkpoint_every=2,
    log_every=2,
    tensorboard=False,
)
RECIPE = SegmentationRecipe(
    fit=CONFIG, augmentation=AugmentationConfig(jitter=0.1, blur=None), crop=(16, 16), batch=4, balanced=0.5
)


class Plain(SegmentationNetwork):
    """Two convolutions, no batch norm."""

    def __init__(self) -> None:
        super().__init__(2, feature_channels=6)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.last = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 2, 1)

    def features(self, images: Tensor) -> Tensor:
        return self.first(self.normalise(images)).tanh()

    def classify(self, features: Tensor) -> Tensor:
        return self.last(features)


def half_void() -> Sample:
    generator = np.random.default_rng(0)
    label = np.full((48, 64), 255, np.uint8)
    label[:, 30:] = generator.integers(0, 2, (48, 34))
    return Sample((label[..., None] * (90, 30, 60) + generator.integers(0, 80, (48, 64, 3))).astype(np.uint8), label)


class Ponds(SegmentationTask):
    """Validates on three pictures, shared by the processes; can be stopped, and spoiled in one part of a batch."""

    def __init__(self, stop_at: int | None = None, nan_at: int | None = None) -> None:
        super().__init__([half_void()], SPACE, RECIPE)
        self.network = Plain()
        self.stop_at, self.nan_at = stop_at, nan_at

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        if step == self.stop_at:
            raise KeyboardInterrupt
        batch = super().batch(seed, step, part)
        if step == self.nan_at and part.index == part.count - 1:
            batch["image"].fill_(torch.nan)
        return batch

    def validate(self, device: torch.device) -> dict[str, float]:
        process, total = this_process(), torch.zeros(2, dtype=torch.float64)
        for number in process.share(3):
            image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(number))
            total += torch.stack([self.network(image).double().square().mean(), torch.ones(())])
        square, count = sum_over_processes(total)
        return {"size": float(square / count), "pictures": float(count)}


def main(folder: Path) -> None:
    """Every case in a folder of its own; what went wrong, by process, in text files."""
    index = int(os.environ["RANK"])
    fit(Ponds(), CONFIG, folder / "whole", quiet=True)
    for stop_at in (3, 6):
        with contextlib.suppress(KeyboardInterrupt):
            fit(Ponds(stop_at), CONFIG, folder / "killed", quiet=True)
    fit(Ponds(), CONFIG, folder / "killed", quiet=True)
    for name, task, config in (
        ("nan", Ponds(nan_at=3), CONFIG),
        ("sync", Ponds(), replace(CONFIG, sync_batch_norm=True)),
        ("small", Ponds(), replace(CONFIG, accumulate=3)),
    ):
        try:
            fit(task, config, folder / name, quiet=True)
        except UserError as error:
            (folder / f"{name}.{index}.txt").write_text(str(error))
    (folder / f"reached.{index}.txt").touch()
    if index == 1:
        raise RuntimeError("one process fails while the other one waits for it")
    try:
        fit(Ponds(), CONFIG, folder / "alone", quiet=True)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
