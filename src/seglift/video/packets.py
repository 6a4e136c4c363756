"""Where every frame of a video file is: an index made from its packets, or by decoding where packets cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

ONE_FRAME_PER_PACKET = frozenset(
    {
        "h264",
        "hevc",
        "av1",
        "vp9",
        "mjpeg",
        "png",
        "ffv1",
        "prores",
        "dnxhd",
        "rawvideo",
        "huffyuv",
        "ffvhuff",
        "utvideo",
    }
)
"""Decoders that show one frame for every packet; elsewhere (packed or hidden frames) frames are counted by decoding."""


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video in the order in which they are shown.

    Attributes:
        count: number of frames.
        times: int64 [count], strictly rising presentation times in units of the stream's time base; None where the file
            has no usable ones, so that frames can only be counted from the beginning.
        key_times: int64 [K], rising presentation times of the keyframes at which decoding may begin; empty without ``times``.
    """

    count: int
    times: NDArray[np.int64] | None
    key_times: NDArray[np.int64]

    def find(self, time: int | None) -> int | None:
        """Index of the frame shown at ``time``; None where no frame is."""
        if time is None or self.times is None:
            return None
        index = int(np.searchsorted(self.times, time))
        return index if index < self.count and self.times[index] == time else None


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Opens a video file with its first video stream that is not a cover picture; other streams are left alone.

    Raises:
        UserError: the file cannot be read, is no video, or has no video stream.
    """
    import av
    from av.stream import Disposition

    try:
        container = av.open(str(path.resolve()), options={"protocol_whitelist": "file"}, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"cannot open {path} as a video ({getattr(error, 'strerror', None) or error}); it is empty, truncated or no video: "
            "copy it again, or give a video file or a folder of images"
        ) from error
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams or streams[0].codec_context is None:
        container.close()
        raise UserError(f"{path} has no video stream that can be decoded; give a video file or a folder of images")
    streams[0].thread_type = "AUTO"
    return container, streams[0]


def decode_packets(packets: Iterator[Packet]) -> Iterator[VideoFrame]:
    """Frames of packets in the order shown; a packet that cannot be decoded gives none, and the next ones go on."""
    import av

    while True:
        try:
            packet = next(packets, None)
            frames = [] if packet is None else packet.decode()
        except av.error.EOFError:
            return
        except av.FFmpegError:
            continue
        if packet is None:
            return
        yield from (frame for frame in frames if not frame.is_corrupt)


def index_frames(path: Path) -> FrameIndex:
    """Indexes a video: by its packets, not decoded (milliseconds), or by decoding all of it where these cannot tell.

    Packets tell when the codec shows one frame per packet, all packets have distinct presentation times, and the first
    decoded frame is the first one of the index.

    Raises:
        UserError: the file cannot be opened, is shorter than its header says, or gives no frame.
    """
    index = _index_packets(path)
    if index is None:
        index = _index_by_decoding(path)
    if index.count == 0:
        raise UserError(f"{path} has a video stream but no frame that can be decoded; copy or encode it again")
    return index


def _index_packets(path: Path) -> FrameIndex | None:
    container, stream = open_video(path)
    with container:
        shown: list[int | None] = []
        keys: list[int | None] = []
        found, broken = 0, False
        for packet in _readable(container.demux(stream)):
            found += packet.size > 0 or packet.dts is not None
            broken |= packet.is_corrupt
            if packet.size == 0 or packet.is_discard or not (keys or packet.is_keyframe):
                continue
            shown.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        _check_whole(path, container, stream, found, [time for time in shown if time is not None], broken)
        if (
            stream.codec_context.name not in ONE_FRAME_PER_PACKET
            and stream.codec_context.codec.name not in ONE_FRAME_PER_PACKET
        ):
            return None
    if not keys or None in shown:
        return None
    times = np.array(sorted(time for time in shown if time is not None and time >= keys[0]), dtype=np.int64)  # type: ignore[operator]
    if len(np.unique(times)) < len(times) or _first_time(path) != times[0]:
        return None
    return FrameIndex(len(times), times, np.unique(np.array(keys, dtype=np.int64)))


def _readable(packets: Iterator[Packet]) -> Iterator[Packet]:
    """Packets up to the end of the file or to the first place where the container itself is broken."""
    import av

    try:
        yield from packets
    except av.FFmpegError:
        return


def _first_time(path: Path) -> int | None:
    container, stream = open_video(path)
    with container:
        frame = next(decode_packets(container.demux(stream)), None)
        return None if frame is None else frame.pts


def _index_by_decoding(path: Path) -> FrameIndex:
    container, stream = open_video(path)
    with container:
        shown = [(frame.pts, bool(frame.key_frame)) for frame in decode_packets(container.demux(stream))]
    times = [time for time, _ in shown if time is not None]
    none = np.zeros(0, dtype=np.int64)
    if len(times) < len(shown) or any(b <= a for a, b in zip(times, times[1:], strict=False)):
        return FrameIndex(len(shown), None, none)
    keys = [time for time, key in shown if key and time is not None]
    return FrameIndex(len(shown), np.array(times, dtype=np.int64), np.array(keys, dtype=np.int64))


def _check_whole(
    path: Path, container: InputContainer, stream: VideoStream, found: int, times: list[int], broken: bool
) -> None:
    """Compares what the header says with the packets that are there.

    The number of frames binds in MP4 and MOV; elsewhere headers are less exact, so 2 % or 1 s may be missing.
    """
    missing = max(stream.frames - found, 0)
    if missing > (0 if "mp4" in container.format.name else 0.02 * stream.frames) or (broken and missing):
        _refuse(path, f"its header promises {stream.frames} frames, {found - broken} are there")
    length = _stated_seconds(container, stream)
    if length is not None and times and stream.time_base is not None:
        gaps = np.diff(np.sort(np.array(times, dtype=np.int64)))
        slack = max(1.0, 3 * float(stream.time_base * int(gaps.max()))) if len(gaps) else 1.0
        end = float(stream.time_base * max(times))
        if length - end > slack:
            _refuse(path, f"its header promises {length:.1f} s, its frames end after {end:.1f} s")


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Length of the video stream as a Matroska or WebM header states it; None elsewhere (MP4 counts its frames)."""
    if "matroska" not in container.format.name:
        return None
    text = next((value for key, value in stream.metadata.items() if key.upper().startswith("DURATION")), None)
    if text is not None:
        try:
            hours, minutes, seconds = text.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except ValueError:
            return None
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / 1e6 if alone else None


def _refuse(path: Path, reason: str) -> None:
    raise UserError(
        f"{path} is truncated: {reason}; copy it again, or keep what is there with 'ffmpeg -i {path.name} -c copy whole.mkv'"
    )
