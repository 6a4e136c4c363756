"""A tiny street of moving squares with exact labels, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import seglift.workflows.label.auto_model
from seglift.cli.main import main
from seglift.training.segmentation import SegmentationRecipe
from seglift.workflows.label.auto_model import auto_recipe

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


FORKS = """
import json, os, sys
sys.path.insert(0, os.environ["SEGLIFT_TESTS"])
import conftest
import seglift.workflows.label.auto_model
import seglift.workflows.label.run
from seglift.cli.main import main
seglift.workflows.label.auto_model.auto_recipe = conftest._small_recipe
while line := sys.stdin.readline():
    words, folder = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, name in enumerate(("in", "out", "err")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(os.devnull if number == 0 else os.path.join(folder, name), flags), number)
        sys.argv[1:] = words
        sys.exit(main())
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Started:
    """A command that runs in a process of its own."""

    def __init__(self, server: subprocess.Popen[str], words: list[str], folder: Path) -> None:
        assert server.stdin is not None and server.stdout is not None
        self._folder, self._answers = folder, server.stdout
        server.stdin.write(json.dumps([words, str(folder)]) + "\n")
        server.stdin.flush()
        self.id = int(self._answers.readline())

    @property
    def runs(self) -> bool:
        return not select.select([self._answers], [], [], 0.0)[0]

    def stop_when(self, reached: Callable[[], bool], how: int, patience: float = 60.0) -> Ran:
        """Sends signal ``how`` as soon as ``reached``, if it still runs by then; the status is minus the signal's."""
        until = time.monotonic() + patience
        while self.runs and not reached() and time.monotonic() < until:
            time.sleep(0.001)
        if self.runs:
            os.kill(self.id, how)
        status = os.waitstatus_to_exitcode(int(self._answers.readline()))
        return Ran(status, *((self._folder / name).read_text() for name in ("out", "err")))

    def wait(self) -> Ran:
        return self.stop_when(lambda: not self.runs, signal.SIGKILL)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[str]], Started]]:
    """Starts the command line in a process of its own; libraries are imported once for all of them."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGLIFT_TESTS": str(Path(__file__).parent)}
    folder = tmp_path_factory.mktemp("started")
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        env=environment,
    ) as server:  # fmt: skip
        yield lambda words: Started(server, words, folder)
        assert server.stdin is not None
        server.stdin.close()


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


@pytest.fixture
def clip(tmp_path: Path) -> TinyClip:
    return _build_clip(tmp_path)


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--model auto`` trains on small crops."""
    monkeypatch.setattr(seglift.workflows.label.auto_model, "auto_recipe", _small_recipe)


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
