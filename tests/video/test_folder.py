from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.video.folder import FrameFolder


def test_natural_order_whatever_the_extension(tmp_path: Path, save_images):
    folder = save_images(tmp_path, ["frame10.png", "frame2.PNG", "frame1.bmp"])
    frames = FrameFolder(folder)
    assert list(frames.stems) == ["frame1", "frame2", "frame10"]
    assert [int(frames[index][0, 0, 0]) for index in range(3)] == [2, 1, 0]
    assert len(frames) == 3
    assert frames.size == (6, 8)
    assert frames.rate is None
    assert frames[0].shape == (6, 8, 3)
    assert frames[0].dtype == np.uint8


@pytest.mark.parametrize("extension", ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "ppm"])
def test_every_image_extension(tmp_path: Path, save_images, extension: str):
    frames = FrameFolder(save_images(tmp_path, [f"a.{extension}"], value=100))
    assert abs(int(frames[0].mean()) - 100) <= 2


def test_other_and_hidden_files_are_ignored(tmp_path: Path, save_images):
    save_images(tmp_path, ["a.png", ".hidden.png"])
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "sub.png").mkdir()
    (tmp_path / ".a.png.part").write_bytes(b"")
    assert list(FrameFolder(tmp_path).stems) == ["a"]


def test_out_of_range_is_an_index_error(tmp_path: Path, save_images):
    frames = FrameFolder(save_images(tmp_path, ["a.png"]))
    for index in (-1, 1):
        with pytest.raises(IndexError):
            frames[index]


def test_no_image(tmp_path: Path):
    with pytest.raises(UserError, match="no images in"):
        FrameFolder(tmp_path)


@pytest.mark.parametrize("names", [["a.png", "a.jpg"], ["a.png", "a_leftImg8bit.png"]])
def test_two_frames_of_one_stem_are_both_named(tmp_path: Path, save_images, names: list[str]):
    with pytest.raises(UserError) as caught:
        FrameFolder(save_images(tmp_path, names))
    assert all(name in str(caught.value) for name in names)


def test_several_snippets_are_named(tmp_path: Path, save_images):
    save_images(tmp_path, ["aachen_000000_000019_leftImg8bit.png", "bremen_000003_000019_leftImg8bit.png"])
    with pytest.raises(UserError, match=r"2 Cityscapes snippets .*aachen_000000_000019, bremen_000003_000019"):
        FrameFolder(tmp_path)


def test_a_frame_of_another_size_is_named_when_read(tmp_path: Path, save_images):
    save_images(tmp_path, ["a.png", "b.png"])
    save_images(tmp_path, ["c.png"], size=(6, 9))
    frames = FrameFolder(tmp_path)
    frames[1]
    with pytest.raises(UserError, match=r"c\.png is 9x6, the first frame a\.png is 8x6"):
        frames[2]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"text" * 30])
def test_a_frame_that_cannot_be_read_is_named(tmp_path: Path, save_images, damage):
    rng = np.random.default_rng(0)
    save_images(tmp_path, ["a.png", "c.png"], size=(40, 40))
    from PIL import Image

    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes(damage((tmp_path / "b.png").read_bytes()))
    frames = FrameFolder(tmp_path)
    frames[0], frames[2]
    with pytest.raises(UserError, match=r"b\.png"):
        frames[1]


def test_fingerprints_follow_content_and_names(tmp_path: Path, save_images):
    one = FrameFolder(save_images(tmp_path / "one", ["a.png", "b.png"]))
    same = FrameFolder(save_images(tmp_path / "same", ["a.png", "b.png"]))
    assert one.fingerprint() == same.fingerprint()
    save_images(tmp_path / "same", ["b.png"], value=77)
    assert one.fingerprint() != same.fingerprint()
    assert one.frame_fingerprint(0) == same.frame_fingerprint(0)
    assert one.frame_fingerprint(1) != same.frame_fingerprint(1)
    renamed = FrameFolder(save_images(tmp_path / "renamed", ["a.png", "c.png"]))
    assert one.fingerprint() != renamed.fingerprint()
