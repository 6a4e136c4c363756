"""Batches that other processes load."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seglift.base.threads import threads_per_call
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.loading import load_steps
from seglift.training.loop.task import Batch, Part


class Threads:
    """Batches that say how many threads torch and OpenCV take, and blur something as augmentation does."""

    steps_per_epoch = 1

    @property
    def module(self) -> nn.Module:
        raise AssertionError

    def trainable(self) -> nn.Module:
        raise AssertionError

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        image = np.zeros((600, 600, 3), np.float32)
        cv2.GaussianBlur(image, (5, 5), 1.0, dst=image)
        return {"threads": torch.tensor([torch.get_num_threads(), cv2.getNumThreads()])}

    def counts(self, batch: Batch) -> Tensor:
        raise AssertionError

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        raise AssertionError

    def validate(self, device: torch.device) -> dict[str, float] | None:
        raise AssertionError

    def metadata(self) -> dict[str, Any]:
        raise AssertionError

    def fingerprint(self) -> str:
        raise AssertionError


@pytest.mark.parametrize(("workers", "threads"), [(0, 2), (1, 1), (2, 1)])
def test_a_loading_process_takes_one_thread(workers: int, threads: int) -> None:
    config = replace(FitConfig(steps=3), workers=workers)
    with threads_per_call(2):
        Threads().batch(0, 0, Part())  # OpenCV's threads are there before the processes part
        loaded = [parts for _, parts in load_steps(Threads(), config, 0, torch.device("cpu"))]
        assert [torch.get_num_threads(), cv2.getNumThreads()] == [2, 2]
    assert [batch["threads"].tolist() for parts in loaded for _, batch in parts] == [[threads, threads]] * 3


BUSY_BEFORE = """
import sys
import cv2, numpy as np, torch
sys.path.insert(0, sys.argv[1])
from test_loading import Threads
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.loading import load_steps

torch.set_num_threads(2)
cv2.setNumThreads(2)
image = np.random.default_rng(0).integers(0, 256, (256, 320)).astype(np.uint8)
cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(image, image, None)
torch.rand(2000, 2000).exp().sum()
print(len(list(load_steps(Threads(), FitConfig(steps=2, workers=2), 0, torch.device("cpu")))))
"""


def test_loading_processes_start_after_opencv_was_busy_on_several_threads() -> None:
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        [sys.executable, "-c", BUSY_BEFORE, here], capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.stdout == "2\n", ran.stderr
