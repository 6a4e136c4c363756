"""Textured pictures, constant flows, and tensors that take the road of other devices on this one."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor


class _Place(str):
    """Names the CPU, and looks like another device to whom asks for its type."""

    type = "elsewhere"


class _Elsewhere(torch.Tensor):
    """A CPU tensor that takes the branch for other devices."""

    @property
    def device(self) -> _Place:  # type: ignore[override]
        return _Place("cpu")


def _home(tensor: Tensor) -> Tensor:
    return tensor


def _elsewhere(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(_Elsewhere)


def _cuda(tensor: Tensor) -> Tensor:
    return tensor.cuda()


@pytest.fixture(
    params=[
        pytest.param(_home, id="opencv"),
        pytest.param(_elsewhere, id="torch"),
        pytest.param(_cuda, id="cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
    ]
)
def place(request: pytest.FixtureRequest) -> Callable[[Tensor], Tensor]:
    """Puts a tensor where OpenCV samples it, where torch does on this CPU, or on the GPU."""
    return request.param


def _texture(height: int = 64, width: int = 80, seed: int = 0, smooth: float = 1.5) -> np.ndarray:
    """A picture with detail everywhere, uint8 ``[H, W, 3]``."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), smooth)
    low, high = blurred.min(), blurred.max()
    return ((blurred - low) / (high - low) * 255).round().astype(np.uint8)


def _constant_flow(dx: float, dy: float, height: int = 64, width: int = 80) -> Tensor:
    return torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


def _shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """``out(x, y) = image(x + dx, y + dy)`` by numpy, the border replicated; image ``[H, W, ...]``."""
    rows = np.clip(np.arange(image.shape[0]) + dy, 0, image.shape[0] - 1)
    columns = np.clip(np.arange(image.shape[1]) + dx, 0, image.shape[1] - 1)
    return image[rows][:, columns]


@pytest.fixture(scope="session")
def texture() -> Callable[..., np.ndarray]:
    return _texture


@pytest.fixture(scope="session")
def constant_flow() -> Callable[..., Tensor]:
    return _constant_flow


@pytest.fixture(scope="session")
def shifted() -> Callable[[np.ndarray, int, int], np.ndarray]:
    return _shifted


@pytest.fixture(scope="session")
def as_batch() -> Callable[[np.ndarray], Tensor]:
    """``[H, W, 3]`` to ``[1, 3, H, W]``."""
    return lambda image: torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
