"""Batches that other processes load."""

from __future__ import annotations

from dataclasses import replace
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
