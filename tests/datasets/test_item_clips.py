from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.datasets.dataset import Dataset, Item, Source
from seglift.datasets.folder import open_folder
from seglift.datasets.item_clips import item_clips
from seglift.labels.builtin import BUILTIN_SPACES

SPACE = BUILTIN_SPACES["camvid11"]


@dataclass(frozen=True)
class Shade:
    """A picture of one value that lies nowhere."""

    value: int

    def read(self) -> np.ndarray:
        return np.full((4, 6, 3), self.value, np.uint8)

    def fingerprint(self) -> str:
        return f"{self.value:064d}"


def dataset(labelled: tuple[int, ...], frames: set[int]) -> Dataset:
    """A video of ``frames`` of which some are items."""

    def neighbour(item: Item, offset: int) -> Source | None:
        number = int(item.name) + offset
        return Shade(number) if number in frames else None

    items = tuple(Item(str(number), Shade(number), None) for number in labelled)
    return Dataset("odd", Path(), "train", SPACE, items, neighbour)


def values(clips: dict) -> list[list[int]]:
    return [[int(clip[n][0, 0, 0]) for n in range(len(clip))] for clip in clips.values()]


def test_an_item_is_joined_with_its_neighbours_up_to_the_first_gap() -> None:
    clips = item_clips(dataset((5,), {2, 4, 5, 6, 7}))
    assert list(clips) == ["5"]
    assert values(clips) == [[4, 5, 6, 7]]


def test_windows_that_share_frames_are_one_clip() -> None:
    clips = item_clips(dataset((2, 5, 20), set(range(10)) | {19, 20, 21}), most=3)
    assert list(clips) == ["2", "20"]
    assert values(clips) == [[0, 1, 2, 3, 4, 5, 6, 7, 8], [19, 20, 21]]


def test_windows_that_do_not_meet_stay_apart() -> None:
    assert values(item_clips(dataset((2, 8), set(range(12))), most=2)) == [[0, 1, 2, 3, 4], [6, 7, 8, 9, 10]]


def test_stills_are_clips_of_one_frame() -> None:
    assert values(item_clips(dataset((1, 3), {1, 3}))) == [[1], [3]]


def test_the_clips_of_a_folder_are_whole_and_have_their_names(tmp_path: Path) -> None:
    for clip, count in (("b", 3), ("a", 40)):
        folder = tmp_path / "images" / "train" / clip
        folder.mkdir(parents=True)
        for number in range(count):
            Image.fromarray(np.full((4, 6, 3), number, np.uint8)).save(folder / f"{number}.png")
    clips = item_clips(open_folder(tmp_path, space="camvid11"))
    assert sorted(clips) == ["a", "b"]
    assert values(clips)[list(clips).index("a")] == list(range(40))


def test_frames_of_another_size_are_named_when_read() -> None:
    found = item_clips(dataset((1,), {0, 1, 2}))["1"]
    assert found.size == (4, 6)
    with pytest.raises(IndexError):
        found[3]
