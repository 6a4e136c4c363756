from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.video import packets
from seglift.video.packets import index_frames


def cut_file(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_packets_index_h264_without_decoding(tmp_path: Path, encode_video, name: str):
    index = index_frames(encode_video(tmp_path / name, 40))
    assert index.count == 40
    assert index.times is not None
    assert len(index.key_times) >= 4
    assert [index.find(int(time)) for time in index.times] == list(range(40))
    assert index.find(int(index.times[3]) + 1) is None
    assert index.find(None) is None


def test_counting_by_decoding_agrees_with_the_packets(tmp_path: Path, encode_video, monkeypatch):
    path = encode_video(tmp_path / "a.mp4", 40)
    quick = index_frames(path)
    monkeypatch.setattr(packets, "ONE_FRAME_PER_PACKET", frozenset())
    slow = index_frames(path)
    assert slow.count == quick.count
    np.testing.assert_array_equal(slow.times, quick.times)
    assert set(slow.key_times.tolist()) <= set(quick.key_times.tolist())


def test_a_raw_stream_has_frames_but_no_times(tmp_path: Path, encode_video):
    index = index_frames(encode_video(tmp_path / "a.h264", 40))
    assert (index.count, index.times, index.find(3)) == (40, None, None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"muxer": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("b.mkv", {"codec": "ffv1"}),
    ],
)
def test_a_truncated_video_says_so(tmp_path: Path, encode_video, name: str, options: dict):
    path = cut_file(encode_video(tmp_path / name, 40, **options), 0.7)
    with pytest.raises(UserError, match=rf"{name} .*truncated"):
        index_frames(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_last_frames_missing_is_noticed(tmp_path: Path, encode_video, name: str):
    path = encode_video(
        tmp_path / name,
        40,
        codec="mjpeg",
        pixels="yuvj420p",
        muxer={"movflags": "faststart"} if name == "a.mp4" else {},
    )
    assert index_frames(path).count == 40
    with pytest.raises(UserError, match="truncated"):
        index_frames(cut_file(path, 0.8))


def test_a_video_without_its_header_cannot_be_opened(tmp_path: Path, encode_video):
    path = cut_file(encode_video(tmp_path / "a.mp4", 40), 0.5)  # without faststart the header is at the end
    with pytest.raises(UserError, match=r"cannot open .*a\.mp4 as a video"):
        index_frames(path)


@pytest.mark.parametrize("content", [b"", b"This is not a video.\n" * 50, np.random.default_rng(0).bytes(5000)])
def test_no_video_at_all(tmp_path: Path, content: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4"):
        index_frames(path)


def test_sound_alone(tmp_path: Path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    with pytest.raises(UserError, match="no video stream"):
        index_frames(path)


def test_playlists_do_not_reach_other_places(tmp_path: Path):
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://192.0.2.1/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UserError):
        index_frames(path)


def test_a_capture_that_begins_between_keyframes(tmp_path: Path, encode_video):
    whole = index_frames(encode_video(tmp_path / "a.ts", 40))
    with av.open(str(tmp_path / "a.ts")) as source, av.open(str(tmp_path / "b.ts"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 4:
                packet.stream = stream
                target.mux(packet)
    with av.open(str(tmp_path / "b.ts")) as container:
        decoded = sum(1 for _ in container.decode(video=0))
    assert index_frames(tmp_path / "b.ts").count == decoded < whole.count
