from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.video import file as video_file
from seglift.video.file import VideoFile

COUNT = 40
UNEVEN = [int(time) for time in np.cumsum(np.random.default_rng(0).integers(10, 90, COUNT))]


def sequential(path: Path) -> list[np.ndarray]:
    """All frames as a plain forward decode gives them, the oracle of every other order."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


KINDS = {
    "h264.mp4": {},
    "open_gop.mp4": {"options": {"x264-params": "open-gop=1:bframes=3:keyint=10:log-level=none"}},
    "h264.ts": {},
    "without_times.h264": {},
    "uneven.mp4": {"times": UNEVEN},
    "uneven.mkv": {"times": UNEVEN},
    "ten_bit.mkv": {"codec": "libx265", "pixels": "yuv420p10le", "options": {"x265-params": "log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4_b.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "lossless.mkv": {"codec": "ffv1", "pixels": "bgr0"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "mjpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def video(request, tmp_path_factory, encode_video) -> Path:
    return encode_video(tmp_path_factory.mktemp("kinds") / request.param, COUNT, **KINDS[request.param])


def test_every_order_gives_the_frames_of_a_plain_decode(video: Path, spelled):
    frames = VideoFile(video)
    truth = sequential(video)
    assert len(frames) == len(truth) == COUNT
    assert list(frames.stems) == [f"{index:06d}" for index in range(COUNT)]
    shuffled = np.random.default_rng(1).permutation(COUNT).tolist()
    for order in (range(COUNT), reversed(range(COUNT)), shuffled):
        for index in order:
            image = frames[index]
            assert spelled(image) == index
            np.testing.assert_array_equal(image, truth[index])


@pytest.mark.parametrize("name", ["h264.mp4", "open_gop.mp4", "mpeg4_b.avi"])
def test_a_tiny_cache_changes_nothing(tmp_path: Path, encode_video, spelled, monkeypatch, name: str):
    monkeypatch.setattr(video_file, "CACHE_BYTES", 3 * 64 * 48 * 2)
    frames = VideoFile(encode_video(tmp_path / name, COUNT, **KINDS[name]))
    assert [spelled(frames[index]) for index in reversed(range(COUNT))] == list(reversed(range(COUNT)))
    for left, right in zip(range(COUNT), reversed(range(COUNT)), strict=True):
        assert (spelled(frames[left]), spelled(frames[right])) == (left, right)
    assert all(len(cursor.cache) <= 4 for cursor in frames._cursors)
    assert len(frames._cursors) <= video_file.CURSORS


def test_reading_forward_decodes_every_frame_once(tiny_video: Path, monkeypatch):
    decoded = []
    remember = video_file._Cursor._remember
    monkeypatch.setattr(
        video_file._Cursor,
        "_remember",
        lambda self, index, frame: decoded.append(index) or remember(self, index, frame),
    )
    frames = VideoFile(tiny_video)
    for index in range(COUNT):
        frames[index]
    assert decoded == list(range(COUNT))
    decoded.clear()
    frames = VideoFile(tiny_video)
    for index in reversed(range(COUNT)):
        frames[index]
    assert len(decoded) <= COUNT + 1


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25), Fraction(15, 2)])
def test_the_rate_is_exact(tmp_path: Path, encode_video, rate: Fraction):
    for name in ("a.mp4", "a.mkv"):
        assert VideoFile(encode_video(tmp_path / name, 10, rate=rate)).rate == rate


def test_the_rate_of_uneven_times_is_their_average(tmp_path: Path, encode_video):
    rate = VideoFile(encode_video(tmp_path / "a.mkv", COUNT, times=UNEVEN)).rate
    assert rate == Fraction((COUNT - 1) * 1000, UNEVEN[-1] - UNEVEN[0])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3), (0, 0)])
def test_rotation_metadata_is_applied(tmp_path: Path, encode_video, degrees: int, turns: int):
    plain = sequential(encode_video(tmp_path / "plain.mp4", 12))
    path = encode_video(
        tmp_path / "turned.mp4", 12, prepare=lambda stream: degrees and stream.set_display_rotation(degrees)
    )
    frames = VideoFile(path)
    assert frames.size == ((64, 48) if turns % 2 else (48, 64))
    for index in (11, 5):
        np.testing.assert_array_equal(frames[index], np.rot90(plain[index], turns))


def test_mirroring_metadata_is_applied(tmp_path: Path, encode_video):
    path = encode_video(tmp_path / "a.mp4", 3, prepare=lambda stream: stream.set_display_rotation(0, hflip=True))
    np.testing.assert_array_equal(VideoFile(path)[1], sequential(path)[1][:, ::-1])


def test_colours_survive(tmp_path: Path):
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)], np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv444p"
        for colour in colours:
            image = np.broadcast_to(colour, (16, 32, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    frames = VideoFile(tmp_path / "a.mkv")
    for index, colour in enumerate(colours):
        assert np.abs(frames[index].astype(int) - colour).max() <= 3
        assert (frames[index].shape, frames[index].dtype) == ((16, 32, 3), np.uint8)


def test_one_frame_and_index_errors(tmp_path: Path, encode_video, spelled):
    frames = VideoFile(encode_video(tmp_path / "a.mp4", 1))
    assert (len(frames), spelled(frames[0])) == (1, 0)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            frames[index]


def test_frames_belong_to_the_caller(tiny_video: Path, spelled):
    frames = VideoFile(tiny_video)
    frames[3][:] = 0
    assert spelled(frames[3]) == 3


FORK = """
import multiprocessing, sys
from pathlib import Path
import numpy as np
from seglift.video.file import VideoFile

frames, context = VideoFile(Path(sys.argv[1])), multiprocessing.get_context("fork")
truth = [frames[index] for index in range(len(frames))]  # decoders are open when others are forked off
answers = context.SimpleQueue()

def read(seed):
    order = np.random.default_rng(seed).permutation(len(frames)).tolist()
    answers.put(all(np.array_equal(frames[index], truth[index]) for index in order))

readers = [context.Process(target=read, args=(seed,)) for seed in range(3)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
print([reader.exitcode for reader in readers], [answers.get() for _ in readers], np.array_equal(frames[26], truth[26]))
"""
"""In a process of its own: one in which many tests ran has threads and open decoders of theirs to fork."""


def test_forked_processes_read_for_themselves(tiny_video: Path):
    words = [sys.executable, "-c", FORK, str(tiny_video)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[0, 0, 0] [True, True, True] True", done


def test_at_rest_nothing_is_open_and_reading_goes_on(tmp_path: Path, encode_video, spelled):
    path = encode_video(tmp_path / "a.mp4")
    frames, is_open = VideoFile(path), []
    for index in (30, 5, 12):
        assert spelled(frames[index]) == index
        is_open.append(_times_open(path) > 0)
        frames.rest()
        is_open.append(_times_open(path) > 0)
    assert is_open == [True, False] * 3


def _times_open(path: Path) -> int:
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system does not list open files")
    return sum(handle.resolve() == path.resolve() for handle in handles.iterdir())


def test_fingerprint(tmp_path: Path, tiny_video: Path, encode_video):
    frames = VideoFile(tiny_video)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(tiny_video.read_bytes())
    assert VideoFile(copy).fingerprint() == frames.fingerprint()
    assert frames.frame_fingerprint(1) != frames.frame_fingerprint(2)
    assert VideoFile(encode_video(tmp_path / "b.mp4", 20)).fingerprint() != frames.fingerprint()


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path, encode_video, spelled):
    path = encode_video(tmp_path / "a.mov", 30, codec="png", pixels="rgb24")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    start = data.index(b"\x89PNG", packets[12][0])
    data[start : start + 60] = bytes(60)
    path.write_bytes(data)
    frames = VideoFile(path)
    assert len(frames) == 30
    assert [spelled(frames[index]) for index in (11, 13, 29)] == [11, 13, 29]
    with pytest.raises(UserError, match=r"frame 12 of .*a\.mov cannot be decoded"):
        frames[12]
    assert spelled(frames[14]) == 14


def test_the_size_must_not_change(tmp_path: Path):
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "rgb24"
        packets = []
        for width in (32, 40):
            encoder = av.CodecContext.create("png", "w")
            encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, 16, "rgb24", Fraction(1, 10)
            packets += encoder.encode(av.VideoFrame.from_ndarray(np.zeros((16, width, 3), np.uint8), format="rgb24"))
        container.start_encoding()
        for index, packet in enumerate(packets):
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 10)
            container.mux(packet)
    frames = VideoFile(tmp_path / "a.mov")
    frames[0]
    with pytest.raises(UserError, match=r"frame 1 of .* is 40x16, the first one 32x16"):
        frames[1]


def test_training_does_not_need_pyav():
    code = "import sys, seglift.video.clip; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "mpeg4_b.avi", "lossless.mkv"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_gives_frames_or_a_user_error(tmp_path: Path, encode_video, name: str, seed: int):
    path = encode_video(tmp_path / name, 20, **KINDS[name])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    start = int(rng.integers(len(data) // 4, len(data)))
    data[start : start + 150] = [rng.bytes(150), bytes(100), b""][seed]
    path.write_bytes(data)
    try:
        frames = VideoFile(path)
    except UserError:
        return
    for index in range(len(frames)):
        try:
            assert frames[index].shape == (48, 64, 3)
        except UserError as error:
            assert name in str(error)
