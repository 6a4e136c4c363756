from __future__ import annotations

import pickle

import av
import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.training.videos.array_cache import ArrayCache
from seglift.training.videos.triplets import Clip, Triplets
from seglift.video.frames import open_frames


class Opener:
    """Opens a folder; unlike a lambda it pickles."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        return open_frames(self.folder)


def clip(folder, values, stride=1):
    folder.mkdir()
    for number, value in enumerate(values):
        Image.fromarray(np.full((8, 9, 3), value, np.uint8)).save(folder / f"{number}.png")
    return Clip(folder.name, Opener(folder), stride)


def values(triplets):
    return [tuple(int(frame[0, 0, 0]) for frame in triplets[n]) for n in range(len(triplets))]


def test_every_three_frames_that_follow_each_other(tmp_path):
    triplets = Triplets([clip(tmp_path / "a", range(4)), clip(tmp_path / "b", range(10, 13))])
    assert values(triplets) == [(0, 1, 2), (1, 2, 3), (10, 11, 12)]
    with pytest.raises(IndexError):
        triplets[3]


def test_a_stride_lies_between_the_frames(tmp_path):
    assert values(Triplets([clip(tmp_path / "a", range(6), stride=2)])) == [(0, 2, 4), (1, 3, 5)]


def test_too_short_clips_have_none(tmp_path):
    short = clip(tmp_path / "a", range(4), stride=2)
    assert short.triplets == 0
    with pytest.raises(ValueError, match="at least one triplet"):
        Triplets([short])


def test_they_travel_to_other_processes_without_their_frames(tmp_path):
    triplets = Triplets([clip(tmp_path / "a", range(3))])
    before = values(triplets)
    sent = pickle.dumps(triplets)
    assert len(sent) < 2000
    assert values(pickle.loads(sent)) == before


def test_the_fingerprint_follows_content_and_stride(tmp_path):
    first, stride = clip(tmp_path / "a", range(5)), Clip("a", Opener(tmp_path / "a"), 2)
    known = Triplets([first]).fingerprint()
    assert Triplets([Clip("renamed", Opener(tmp_path / "a"))]).fingerprint() == known
    assert Triplets([stride]).fingerprint() != known
    Image.fromarray(np.full((8, 9, 3), 99, np.uint8)).save(tmp_path / "a" / "2.png")
    assert Triplets([Clip("a", Opener(tmp_path / "a"))]).fingerprint() != known


def test_a_frame_of_another_size_is_named(tmp_path):
    triplets = Triplets([clip(tmp_path / "a", range(3))])
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(tmp_path / "a" / "2.png")
    with pytest.raises(UserError, match=r"2\.png is 10x8"):
        triplets[0]


def test_a_frame_is_read_once_while_it_is_kept(tmp_path, monkeypatch):
    triplets = Triplets([clip(tmp_path / "a", range(5))])
    values(triplets)
    monkeypatch.setattr(Clip, "frames", None)  # reading would fail
    assert len(values(triplets)) == 3


def test_the_cache_keeps_what_was_used_last_within_its_limit():
    made = []

    def make(key):
        made.append(key)
        return np.zeros(10, np.uint8)

    cache = ArrayCache(25)
    for key in "abacb":
        cache.get(key, lambda key=key: make(key))
    assert made == ["a", "b", "c", "b"]
    assert cache._bytes <= 25
    large = ArrayCache(9)
    for _ in range(2):
        large.get("x", lambda: make("x"))
    assert made[-2:] == ["x", "x"]


def write_video(path, values):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for value in values:
            picture = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_few_videos_keep_their_decoders(tmp_path, monkeypatch):
    monkeypatch.setattr("seglift.training.videos.triplets.CLIPS_AWAKE", 2)
    clips = [Clip(name, Opener(write_video(tmp_path / f"{name}.mkv", range(4)))) for name in "abcd"]
    triplets = Triplets(clips, limit=0)
    assert [len(clip.frames._cursors) for clip in clips] == [0, 0, 0, 0]
    for _ in range(2):
        assert values(triplets) == [(0, 1, 2), (1, 2, 3)] * 4
        assert [len(clip.frames._cursors) > 0 for clip in clips] == [False, False, True, True]
    triplets.rest()
    assert [len(clip.frames._cursors) for clip in clips] == [0, 0, 0, 0]
    assert values(triplets) == [(0, 1, 2), (1, 2, 3)] * 4
