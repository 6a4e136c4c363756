from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.video.clip_tree import find_clips


def frame(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


def test_a_file_is_one_clip(tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").touch()
    assert find_clips(tmp_path / "drive.mp4") == {"drive": tmp_path / "drive.mp4"}


def test_a_folder_of_frames_is_one_clip(tmp_path: Path) -> None:
    frame(tmp_path / "a" / "1.png")
    assert find_clips(tmp_path / "a") == {"a": tmp_path / "a"}


def test_a_tree_gives_every_folder_of_frames_and_every_video_in_natural_order(tmp_path: Path) -> None:
    for name in ("clip10/1.png", "clip2/1.jpg", "deep/er/1.png", ".hidden/1.png"):
        frame(tmp_path / name)
    (tmp_path / "drive.MP4").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    assert list(find_clips(tmp_path)) == ["drive.MP4", "clip2", "clip10", "deep/er"]


def test_labels_beside_images_are_no_frames(tmp_path: Path) -> None:
    for name in ("bus/images/1.jpg", "bus/labels/1.png"):
        frame(tmp_path / name)
    assert find_clips(tmp_path) == {"bus": tmp_path / "bus" / "images"}
    assert find_clips(tmp_path / "bus") == {"bus": tmp_path / "bus" / "images"}


def test_the_generic_layout_gives_its_clips(tmp_path: Path) -> None:
    for name in ("images/train/a/1.png", "images/val/b/1.png", "labels/train/a/1.png"):
        frame(tmp_path / name)
    assert list(find_clips(tmp_path)) == ["images/train/a", "images/val/b"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_place_without_video_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=name):
        find_clips(tmp_path / name)
