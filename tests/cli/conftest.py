"""A tiny street of moving squares with exact labels, and the command line as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from seglift.cli.main import main

HEIGHT, WIDTH = 64, 96
ROAD, SKY, CAR, PERSON = 7, 23, 26, 24


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that a user who did something wrong is told."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert self.status == 2, self
        assert "Traceback" not in self.err
        assert len(lines) == 1, self.err
        assert lines[0].startswith("seglift: error: ")
        return lines[0].removeprefix("seglift: error: ")


@dataclass(frozen=True)
class TinyClip:
    """Frames on disk, the exact label of each, and a folder with some of them as keyframes."""

    frames: Path
    truth: Path
    keyframes: Path
    stems: tuple[str, ...]

    def show(self, *indices: int) -> TinyClip:
        """Adds the exact labels of these frames to the keyframes."""
        for index in indices:
            shutil.copyfile(self.truth / f"{self.stems[index]}.png", self.keyframes / f"{self.stems[index]}.png")
        return self


def draw(index: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frame ``index``: RGB picture and Cityscapes ids of two squares that move over textured road and sky."""
    noise = np.random.default_rng(3).integers(0, 60, (height, width, 3), dtype=np.uint8)
    image = cv2.blur(noise, (3, 3)) + np.array([60, 60, 70], np.uint8)
    label = np.full((height, width), ROAD, np.uint8)
    image[: height // 2] += np.array([0, 40, 110], np.uint8)
    label[: height // 2] = SKY
    squares = ((CAR, 30, 8 + 2 * index, 20, (220, 30, 30)), (PERSON, 16, 70 - index, 12, (40, 220, 60)))
    texture = np.random.default_rng(5).integers(0, 36, (height, width, 3), dtype=np.uint8)
    for raw, top, left, size, color in squares:
        area = np.s_[top : top + size, left : left + size]
        image[area] = np.array(color, np.uint8) - texture[:size, :size][: image[area].shape[0], : image[area].shape[1]]
        label[area] = raw
    return image, label


def save(path: Path, array: NDArray[np.generic]) -> None:
    """Writes a picture with Pillow, nothing of ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def build_clip(folder: Path, count: int = 9, keyframes: Iterable[int] = (0, 4, 8), size: int = 1) -> TinyClip:
    """Draws a clip of ``count`` frames, ``size`` times as large as usual."""
    stems = tuple(f"f{index:03d}" for index in range(count))
    clip = TinyClip(folder / "frames", folder / "truth", folder / "keys", stems)
    clip.keyframes.mkdir(parents=True)
    for index, stem in enumerate(stems):
        image, label = draw(index)
        save(clip.frames / f"{stem}.png", image.repeat(size, 0).repeat(size, 1))
        save(clip.truth / f"{stem}.png", label.repeat(size, 0).repeat(size, 1))
    return clip.show(*keyframes)


def tree(folder: Path, skip: Iterable[str] = ("timing.json", ".seglift")) -> dict[str, bytes]:
    """Content of every file below ``folder`` by its relative name."""
    left_out = set(skip)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left_out & set(path.relative_to(folder).parts)
    }


def label_words(clip: TinyClip, out: Path, *more: object) -> list[str]:
    """``label`` by motion; later options override."""
    words = ["label", clip.frames, "--labels", clip.keyframes, "--space", "cityscapes", "--out", out]
    return [str(word) for word in (*words, "--method", "motion", "--device", "cpu", *more)]


@pytest.fixture
def clip(tmp_path: Path) -> TinyClip:
    return build_clip(tmp_path)


@pytest.fixture
def seglift(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process; what C libraries print counts too."""

    def run(*words: object) -> Ran:
        capfd.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Ran(status, *capfd.readouterr())

    return run


@pytest.fixture
def label(seglift: Callable[..., Ran]) -> Callable[..., Ran]:
    """``seglift label`` of a tiny clip by motion."""

    def run(clip: TinyClip, out: Path, *more: object) -> Ran:
        return seglift(*label_words(clip, out, *more))

    return run


@pytest.fixture
def start() -> Callable[[list[str]], subprocess.Popen[str]]:
    """Starts the command line in a process of its own."""

    def run(words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "seglift.cli.main", *words] if False else [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    return run


COMMAND = [sys.executable, "-c", "import sys; from seglift.cli.main import main; sys.exit(main())"]
