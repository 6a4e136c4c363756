"""Tiny videos and image folders whose every frame tells its own index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 64, 48


def _picture(index: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Flat blocks 16 pixels wide that spell the index in binary, so that lossy codecs cannot blur one into another."""
    image = np.full((height, width, 3), 40, np.uint8)
    for bit in range(8):
        y, x = (bit // 4) * 16, (bit % 4) * 16
        image[y : y + 16, x : x + 16] = 220 if index >> bit & 1 else 20
    return image


def _spelled(image: np.ndarray) -> int:
    """The index that :func:`_picture` wrote."""
    return sum(int(image[(bit // 4) * 16 + 8, (bit % 4) * 16 + 8].mean() > 120) << bit for bit in range(8))


def _encode_video(
    path: Path,
    count: int = 40,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Fraction = Fraction(30000, 1001),
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    prepare: Callable[[Any], None] = lambda stream: None,
) -> Path:
    """Writes ``count`` pictures; ``times`` are presentation times in milliseconds."""
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.codec_context.gop_size = 10
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        prepare(stream)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(_picture(index), format="rgb24")
            frame.pts = index if times is None else times[index]
            frame.time_base = 1 / rate if times is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _save_images(folder: Path, names: Sequence[str], value: int = 0, size: tuple[int, int] = (6, 8)) -> Path:
    """Writes flat RGB images of ``size`` (H, W) under ``names``; image i has the value ``value + i``."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(np.full((*size, 3), value + index, np.uint8)).save(folder / name)
    return folder


def _save_labels(folder: Path, names: Sequence[str], size: tuple[int, int] = (6, 8)) -> Path:
    """Writes grey PNGs of ``size`` (H, W) under ``names``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def encode_video() -> Callable[..., Path]:
    return _encode_video


@pytest.fixture(scope="session")
def save_images() -> Callable[..., Path]:
    return _save_images


@pytest.fixture(scope="session")
def save_labels() -> Callable[..., Path]:
    return _save_labels


@pytest.fixture(scope="session")
def spelled() -> Callable[[np.ndarray], int]:
    return _spelled


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames of H.264 with B-frames in MP4, a keyframe at least every ten."""
    return _encode_video(tmp_path_factory.mktemp("video") / "tiny.mp4")
