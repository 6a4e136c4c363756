"""Clips around labelled items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.clip_around import SourceFrames, clip_around, frames_of, reach
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source
from seglift.datasets.derived import Resized
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.video.frames import Frames, cut_frames

SPACE = BUILTIN_SPACES["cityscapes"]


@dataclass(frozen=True)
class Shade:
    """A picture of one value that lies nowhere."""

    value: int
    size: tuple[int, int] = (4, 6)

    def read(self) -> np.ndarray:
        return np.full((*self.size, 3), self.value, np.uint8)

    def fingerprint(self) -> str:
        return f"{self.value:064d}"


def build(
    offsets: dict[int, Source], label: Path | None = Path("label.png"), encoding: str | None = "cityscapes"
) -> Dataset:
    item = Item("key", Shade(100), None if label is None else LabelFile(label, SPACE), Path("instances.png"))
    return Dataset(
        "odd", Path(), "train", SPACE, (item,), lambda _, offset: offsets.get(offset), instance_encoding=encoding
    )


def test_frames_reach_as_far_as_asked_and_to_the_first_gap() -> None:
    dataset = build({offset: Shade(100 + offset) for offset in (-5, -3, -2, -1, 1, 2, 4)})
    item = dataset.items[0]
    for before, after, expected, key in ((2, 1, [98, 99, 100, 101], 2), (9, 9, [97, 98, 99, 100, 101, 102], 3)):
        clip = clip_around(dataset, item, before, after)
        frames: Frames = clip.frames
        assert [int(frames[index][0, 0, 0]) for index in range(len(frames))] == expected
        assert [keyframe.index for keyframe in clip.keyframes] == [key]
        assert frames.stems[key] == "key"
        assert frames.stems[0] == f"key_{-key:+03d}"
        assert (frames.size, frames.rate) == ((4, 6), None)
    assert len(clip_around(dataset, item, 0, 0).frames) == 1
    with pytest.raises(ValueError, match="before and after"):
        clip_around(dataset, item, -1, 0)


def test_some_neighbours_without_those_between() -> None:
    dataset = build({offset: Shade(100 + offset) for offset in (-5, -1, 1, 3)})
    item = dataset.items[0]
    assert list(reach(dataset, item, 9, 9)) == [-1, 0, 1] and list(reach(dataset, item, 0, 9)) == [0, 1]
    frames = frames_of(item, {-5: Shade(95), 0: item.image, 3: Shade(103)})
    assert list(frames.stems) == ["key_-05", "key", "key_+03"] and frames.reference == 1
    assert [int(frames[index][0, 0, 0]) for index in range(3)] == [95, 100, 103]


def test_the_frame_that_sets_the_size_is_read_once() -> None:
    class Counted(Shade):
        reads = 0

        def read(self) -> np.ndarray:
            Counted.reads += 1
            return super().read()

    frames = SourceFrames([Shade(1), Counted(2)], ["a", "b"], reference=1)
    assert frames[1].shape == (4, 6, 3) and frames.size == (4, 6) and frames[0].shape == (4, 6, 3)
    assert Counted.reads == 1


def test_keyframe_carries_instances_only_in_the_known_encoding() -> None:
    dataset = build({})
    keyframe = clip_around(dataset, dataset.items[0], 1, 1).keyframes[0]
    assert (keyframe.label, keyframe.instances) == (Path("label.png"), Path("instances.png"))
    for encoding in ("kitti", None):
        other = build({}, encoding=encoding)
        assert clip_around(other, other.items[0], 1, 1).keyframes[0].instances is None
    bare = build({}, label=None)
    assert clip_around(bare, bare.items[0], 1, 1).keyframes == ()
    resized = replace(dataset.items[0], label=Resized(LabelFile(Path("label.png"), SPACE), 8))
    with pytest.raises(UserError, match=r"label of key .*label\.png.* without options"):
        clip_around(dataset, resized, 1, 1)


def test_stems_are_those_of_the_files_where_they_differ(tmp_path: Path) -> None:
    for stem in ("a_000018_leftImg8bit", "a_000019_leftImg8bit"):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / f"{stem}.png")
    first, key = (ImageFile(tmp_path / f"a_0000{number}_leftImg8bit.png") for number in (18, 19))
    item = replace(build({}).items[0], image=key)
    clip = clip_around(build({-1: first}), item, 1, 1)
    assert list(clip.frames.stems) == ["a_000018_leftImg8bit", "a_000019_leftImg8bit"]
    same = clip_around(build({-1: ImageFile(tmp_path / "other/a_000019_leftImg8bit.png")}), item, 1, 1)
    assert list(same.frames.stems) == ["key_-01", "key"]


def test_sizes_are_checked_while_reading() -> None:
    dataset = build({1: Shade(1, (4, 8)), -1: ImageFile(Path("absent.png"))})
    frames = clip_around(dataset, dataset.items[0], 1, 1).frames
    assert frames[1].shape == (4, 6, 3)
    with pytest.raises(UserError, match=r"is 8x4, .* is 6x4"):
        _ = frames[2]
    with pytest.raises(UserError, match=r"absent\.png"):
        _ = frames[0]
    for index in (-1, 3):
        with pytest.raises(IndexError):
            _ = frames[index]
    assert cut_frames(frames, 1, 2)[0].shape == (4, 6, 3)


def test_fingerprints_tell_content_and_names_apart() -> None:
    frames = [
        SourceFrames([Shade(1), Shade(2)], ["a", "b"]),
        SourceFrames([Shade(1), Shade(3)], ["a", "b"]),
        SourceFrames([Shade(1), Shade(2)], ["a", "c"]),
    ]
    assert len({part.fingerprint() for part in frames}) == 3
    assert frames[0].frame_fingerprint(0) == frames[1].frame_fingerprint(0) != frames[0].frame_fingerprint(1)
    assert all(len(part.fingerprint()) == 64 for part in frames)


@pytest.mark.parametrize(
    ("stems", "reference", "what"),
    [(["a"], 0, "a stem for each"), (["a", "a_leftImg8bit"], 0, "must differ"), (["a", "b"], 2, "reference 2")],
)
def test_frames_that_make_no_sense(stems: list[str], reference: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        SourceFrames([Shade(1), Shade(2)], stems, reference)
