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

from seglift.labels.space import LabelClass, LabelSpace
from seglift.motion.warp import warp_labels
from seglift.propagation.spill import FLOW_STEP
from seglift.propagation.state import Origin, Propagated, StepMotion

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
        # Multiples of a spilled flow's resolution, so that both passes step by the same motion.
        return (_smooth_flow(pair, *source.shape[-2:]) / FLOW_STEP).round() * FLOW_STEP


def _frame(index: int) -> Tensor:
    return torch.full((1, 3, HEIGHT, WIDTH), index, dtype=torch.uint8)


def _state(seed: int, ids: int = 4, height: int = HEIGHT, width: int = WIDTH, block: int = 1) -> Propagated:
    """An observed state with every value drawn at random; labels in squares of side ``block``."""
    generator = np.random.default_rng([11, seed])
    small = generator.integers(0, ids, (-(-height // block), -(-width // block)), dtype=np.uint8)
    labels = torch.from_numpy(small.repeat(block, 0).repeat(block, 1)[None, :height, :width].copy())
    image = torch.from_numpy(generator.integers(0, 256, (1, 3, height, width), dtype=np.uint8))
    trace = np.empty((1, 4, height, width), np.float32)
    trace[:, 0] = generator.uniform(-0.5, width - 0.5, (height, width))
    trace[:, 1] = generator.uniform(-0.5, height - 0.5, (height, width))
    trace[:, 2] = generator.exponential(1.0, (height, width))
    trace[:, 3] = generator.random((height, width)) < 0.2
    photometric = torch.from_numpy(generator.integers(0, 60, (1, height, width), dtype=np.uint8))
    places = torch.from_numpy(trace)
    carried = warp_labels(labels, places[:, :2])
    filled = torch.zeros(labels.shape, dtype=torch.bool)
    return Propagated(carried, places, filled, Origin(labels, image), 1, photometric)


_SPACE = LabelSpace(
    "toy",
    (
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
        LabelClass(3, "wall", (90, 0, 0), 2, "flat", False),
        LabelClass(1, "road", (0, 90, 0), 0, "flat", False),
        LabelClass(2, "lake", (0, 0, 90), 1, "flat", False),
    ),
    ignore=9,
)


class _StubModel:
    """A model of the toy space: always the same probabilities [1, 3, H, W], or those of a function of the image."""

    space_classes = ("road", "lake", "wall")

    def __init__(self, probabilities: Tensor | Callable[[Tensor], Tensor]) -> None:
        self.probabilities = probabilities
        self.seen: list[Tensor] = []

    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        given = self.probabilities
        return torch.log(given if isinstance(given, Tensor) else given(images))

    def features(self, images: Tensor) -> Tensor:
        return self.logits(images)


@pytest.fixture(scope="session")
def make_state() -> Callable[..., Propagated]:
    return _state


@pytest.fixture(scope="session")
def space() -> LabelSpace:
    """Void and three classes, space indices 0 and 2, 3, 1 for train ids 0, 1, 2."""
    return _SPACE


@pytest.fixture(scope="session")
def stub_model() -> Callable[..., _StubModel]:
    return _StubModel


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
