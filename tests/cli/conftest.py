"""A tiny street of moving squares with exact labels, and the command line as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import seglift.workflows.auto_model
from seglift.cli.main import main
from seglift.training.segmentation import SegmentationRecipe
from seglift.workflows.auto_model import auto_recipe

HEIGHT, WIDTH = 64, 96
ROAD, SKY, CAR, PERSON = 7, 23, 26, 24


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit status and what it printed."""

    status: int
    out: str
    err: str

    def done(self) -> Ran:
        """Itself, having checked that all went well."""
        assert self.status == 0, self
        return self

    @property
    def error(self) -> str:
        """The one line that a user who did something wrong is told."""
        # libpng itself writes a line that cannot be held back when compressed data are damaged.
        lines = [line for line in self.err.splitlines() if line.strip() and not line.startswith("libpng error:")]
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


def _draw(index: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
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


def _save(path: Path, array: NDArray[np.generic]) -> None:
    """Writes a picture with Pillow, nothing of ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def _build_clip(folder: Path, count: int = 9, keyframes: Iterable[int] = (0, 4, 8), size: int = 1) -> TinyClip:
    """Draws a clip of ``count`` frames, ``size`` times as large as usual."""
    stems = tuple(f"f{index:03d}" for index in range(count))
    clip = TinyClip(folder / "frames", folder / "truth", folder / "keys", stems)
    clip.keyframes.mkdir(parents=True)
    for index, stem in enumerate(stems):
        image, label = _draw(index)
        _save(clip.frames / f"{stem}.png", image.repeat(size, 0).repeat(size, 1))
        _save(clip.truth / f"{stem}.png", label.repeat(size, 0).repeat(size, 1))
    return clip.show(*keyframes)


def _tree(folder: Path, skip: Iterable[str] = ("timing.json", ".seglift")) -> dict[str, bytes]:
    """Content of every file below ``folder`` by its relative name."""
    left_out = set(skip)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left_out & set(path.relative_to(folder).parts)
    }


def _words(clip: TinyClip, out: Path, *more: object) -> list[str]:
    words = ["label", clip.frames, "--labels", clip.keyframes, "--space", "cityscapes", "--out", out]
    return [str(word) for word in (*words, "--method", "motion", "--device", "cpu", *more)]


def _small_recipe(steps: int, minutes: float | None, seed: int) -> SegmentationRecipe:
    """The product's recipe, on pictures of the size these tests have."""
    recipe = auto_recipe(steps, minutes, seed)
    fit = replace(recipe.fit, checkpoint_every=2)
    return replace(recipe, fit=fit, crop=(32, 64), short_side=None)


COMMAND = """
import os, sys
sys.path.insert(0, os.environ["SEGLIFT_TESTS"])
import seglift.workflows.auto_model
from seglift.cli.main import main
from seglift.training.segmentation import SegmentationRecipe
from seglift.workflows.auto_model import auto_recipe
if "--model-steps" in sys.argv:
    import conftest
    import seglift.workflows.auto_model
    seglift.workflows.auto_model.auto_recipe = conftest._small_recipe
sys.exit(main())
"""


def _start(words: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGLIFT_TESTS": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture(scope="session")
def draw() -> Callable[..., tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    return _draw


@pytest.fixture(scope="session")
def save() -> Callable[[Path, NDArray[np.generic]], None]:
    return _save


@pytest.fixture(scope="session")
def tree() -> Callable[..., dict[str, bytes]]:
    return _tree


@pytest.fixture(scope="session")
def build_clip() -> Callable[..., TinyClip]:
    return _build_clip


@pytest.fixture(scope="session")
def words() -> Callable[..., list[str]]:
    """The words of ``label`` by motion; later options override."""
    return _words


@pytest.fixture(scope="session")
def start() -> Callable[[list[str]], subprocess.Popen[str]]:
    """Starts the command line in a process of its own."""
    return _start


@pytest.fixture
def clip(tmp_path: Path) -> TinyClip:
    return _build_clip(tmp_path)


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--model auto`` trains on small crops."""
    monkeypatch.setattr(seglift.workflows.auto_model, "auto_recipe", _small_recipe)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
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
def label(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """``seglift label`` of a tiny clip by motion."""

    def label(clip: TinyClip, out: Path, *more: object) -> Ran:
        return run(*_words(clip, out, *more))

    return label
