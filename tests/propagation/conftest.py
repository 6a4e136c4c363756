"""Keyframes, steps and motion made by rule, so that every result can be worked out another way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.propagation.state import Origin, StepMotion

HEIGHT, WIDTH = 12, 16


def _origin(height: int = HEIGHT, width: int = WIDTH, seed: int = 0, ids: int = 12) -> Origin:
    generator = np.random.default_rng([7, seed])
    labels = generator.integers(0, ids, (1, height, width), dtype=np.uint8)
    image = generator.integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    return Origin(torch.from_numpy(labels), torch.from_numpy(image))


def _translation(dx: float, dy: float, height: int = HEIGHT, width: int = WIDTH, error: float = 0.0) -> StepMotion:
    flow = torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()
    return StepMotion(flow, torch.full((1, height, width), error))


@lru_cache(maxsize=500)
def _smooth_flow(seed: tuple[int, ...], height: int, width: int) -> Tensor:
    coarse = torch.from_numpy(np.random.default_rng(seed).normal(0.0, 1.5, (1, 2, 4, 4)).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)


class _StubEstimator:
    """Some smooth flow that depends on nothing but which frame is source and which is target; counts what it is asked.

    Frames tell their index by their first value.
    """

    def __init__(self) -> None:
        self.asked: Counter[tuple[int, int]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        pair = int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0])
        with self._lock:
            self.asked[pair] += 1
        return _smooth_flow(pair, *source.shape[-2:]).clone()


def _frame(index: int) -> Tensor:
    return torch.full((1, 3, HEIGHT, WIDTH), index, dtype=torch.uint8)


@pytest.fixture(scope="session")
def make_origin() -> Callable[..., Origin]:
    return _origin


@pytest.fixture(scope="session")
def translation() -> Callable[..., StepMotion]:
    return _translation


@pytest.fixture(scope="session")
def smooth_flow() -> Callable[..., Tensor]:
    return _smooth_flow


@pytest.fixture
def estimator() -> _StubEstimator:
    return _StubEstimator()


@pytest.fixture(scope="session")
def frame() -> Callable[[int], Tensor]:
    return _frame
