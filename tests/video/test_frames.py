from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.video.file import VideoFile
from seglift.video.folder import FrameFolder
from seglift.video.frames import CutFrames, cut_frames, open_frames


def test_what_is_opened(tmp_path: Path, save_images, tiny_video: Path):
    assert isinstance(open_frames(save_images(tmp_path / "frames", ["a.png"])), FrameFolder)
    assert isinstance(open_frames(tiny_video), VideoFile)


def test_nothing_there_and_a_single_image(tmp_path: Path, save_images):
    with pytest.raises(UserError, match="no frames at"):
        open_frames(tmp_path / "nothing.mp4")
    save_images(tmp_path, ["a.png"])
    with pytest.raises(UserError, match="one image"):
        open_frames(tmp_path / "a.png")


def test_a_cut_of_a_video_keeps_stems_and_rate(tiny_video: Path, spelled):
    source = open_frames(tiny_video)
    cut = cut_frames(source, 7, 9)
    assert list(cut.stems) == ["000007", "000008"]
    assert (cut.rate, cut.size, len(cut)) == (source.rate, source.size, 2)
    assert [spelled(cut[0]), spelled(cut[1])] == [7, 8]
    assert cut.frame_fingerprint(0) == source.frame_fingerprint(7)


def test_the_whole_is_not_wrapped(tiny_video: Path):
    source = open_frames(tiny_video)
    assert cut_frames(source, None, None) is source
    with pytest.raises(ValueError, match="expected"):
        CutFrames(source, 3, 3)
