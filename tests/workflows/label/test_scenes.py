"""The scenes of a clip, and what is remembered of them between runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.progress import ProgressBar
from seglift.video.folder import FrameFolder
from seglift.workflows.label import scenes
from seglift.workflows.label.scenes import Scenes, find_scenes


def picture(seed: int, shift: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    image = np.full((48, 120, 3), 128, np.uint8)
    for _ in range(60):
        x, y = (int(v) for v in generator.integers(0, (115, 44)))
        color = [int(v) for v in generator.integers(0, 256, 3)]
        cv2.rectangle(image, (x, y), (x + 9, y + 6), color, -1)
    return image[:, shift : shift + 72]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten frames: a cut before 3, frames 5 and 6 repeat frame 4, a cut before 8."""
    for index, (seed, shift) in enumerate([(1, 0), (1, 3), (1, 6), *[(2, min(i, 1)) for i in range(4)], (2, 4)]):
        cv2.imwrite(str(tmp_path / f"{index:02d}.png"), picture(seed, shift))
    for index in (8, 9):
        cv2.imwrite(str(tmp_path / f"{index:02d}.png"), picture(3, index))
    return tmp_path


FOUND = Scenes((3, 8), (5, 6))


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames were looked at, call by call."""
    counts: list[int] = []

    class Counting(ProgressBar):
        def __init__(self, total: int, *words: str, **more: bool) -> None:
            super().__init__(total, words[0], words[1], 0, quiet=True)
            counts.append(total - words[2])

    monkeypatch.setattr(scenes, "ProgressBar", Counting)
    return counts


def test_scenes_are_found_and_remembered(folder: Path, looked_at: list[int]):
    cache = folder / "scenes.json"
    assert find_scenes(FrameFolder(folder), cache) == FOUND
    content = cache.read_bytes()
    assert find_scenes(FrameFolder(folder), cache) == FOUND
    assert looked_at == [10] and cache.read_bytes() == content


@pytest.mark.parametrize(("index", "left"), [(9, 1), (6, 4), (5, 5), (0, 10)])
def test_only_frames_from_the_first_changed_one_are_looked_at_again(
    folder: Path, looked_at: list[int], index: int, left: int
):
    cache = folder / "scenes.json"
    find_scenes(FrameFolder(folder), cache)
    cv2.imwrite(str(folder / f"{index:02d}.png"), picture(7, 0))
    assert find_scenes(FrameFolder(folder), cache) == find_scenes(FrameFolder(folder), folder / "fresh.json")
    assert looked_at == [10, left, 10]
    assert cache.read_bytes() == (folder / "fresh.json").read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"detector": 1, "frames": [3]}', b'{"detector": 0, "frames": []}']
)
def test_a_damaged_cache_is_made_anew(folder: Path, content: bytes):
    cache = folder / "scenes.json"
    find_scenes(FrameFolder(folder), cache)
    whole = cache.read_bytes()
    cache.write_bytes(content)
    assert find_scenes(FrameFolder(folder), cache) == FOUND
    assert cache.read_bytes() == whole


def test_an_unreadable_frame_decides_nothing_and_is_looked_at_again(folder: Path):
    cache, path = folder / "scenes.json", folder / "04.png"
    good = path.read_bytes()
    path.write_bytes(b"no picture")
    assert find_scenes(FrameFolder(folder), cache).cuts == (3, 8)
    path.write_bytes(good)
    assert find_scenes(FrameFolder(folder), cache) == FOUND


def test_one_frame(tmp_path: Path, folder: Path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copyfile(folder / "00.png", alone / "00.png")
    assert find_scenes(FrameFolder(alone), tmp_path / "cache.json") == Scenes()


def test_the_scene_around_a_frame():
    assert [FOUND.around(index, 10) for index in (0, 2, 3, 7, 8, 9)] == [
        range(3), range(3), range(3, 8), range(3, 8), range(8, 10), range(8, 10),
    ]  # fmt: skip
    assert Scenes().around(4, 7) == range(7)


def test_twins_of_keyframes():
    assert [FOUND.twin(index, {4, 7}) for index in (3, 5, 6)] == [None, 4, 4]
    assert [FOUND.twin(index, {6}) for index in (3, 4, 5, 7)] == [None, 6, 6, None]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (Scenes(), ""),
        (Scenes((3,)), "1 scene cut: labels are not carried across"),
        (Scenes((), (3,)), "1 frame repeats the one before: labels stay"),
        (FOUND, "2 scene cuts: labels are not carried across; 2 frames repeat the one before: labels stay"),
    ],
)
def test_what_is_said(found: Scenes, sentence: str):
    assert found.sentence() == sentence
