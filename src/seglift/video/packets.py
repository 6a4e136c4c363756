"""Where every frame of a video file is: an index made from its packets, or by decoding where packets cannot tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from seglift.base.counts import counted
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
"""Codecs that show one frame for every packet; elsewhere (packed or hidden frames) frames are counted by decoding."""

RATE_TOLERANCE = 0.05
"""A header's frame rate that is further (relative) from the measured average does not describe the file."""


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video in the order in which they are shown.

    Attributes:
        count: number of frames.
        times: int64 [count], strictly rising presentation times in units of the stream's time base; None where the
            file has no usable ones, so that frames can only be counted from the beginning.
        key_times: int64 [K], rising presentation times of the keyframes at which decoding may begin; empty without
            ``times``.
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
            f"cannot open {path} as a video ({getattr(error, 'strerror', None) or error}), it is empty, truncated or "
            "no video; copy it again, or give a video file or a folder of images"
        ) from error
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams or streams[0].codec_context is None:
        container.close()
        raise UserError(f"{path} has no video stream that can be decoded; give a video file or a folder of images")
    streams[0].thread_type = "AUTO"  # type: ignore[assignment]  # PyAV's setter takes the name
    return container, streams[0]


def decode_packets(packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
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
        yield from frames


def index_frames(path: Path) -> FrameIndex:
    """Indexes a video: by its packets, not decoded (milliseconds), or by decoding all of it where these cannot tell.

    Packets tell when the codec shows one frame per packet, all packets have distinct presentation times, and the first
    decoded frame is the first one of the index.

    Raises:
        UserError: the file cannot be opened, is shorter than its header says, is damaged where frames have to be
            counted by decoding, or gives no frame.
    """
    index = _index_packets(path) or _index_by_decoding(path)
    if index.count == 0:
        raise UserError(f"{path} has a video stream but no frame that can be decoded; copy or encode it again")
    return index


def frame_rate(index: FrameIndex, stream: VideoStream) -> Fraction | None:
    """Frames per second: the header's exact rate, or the measured average where that rate is not the file's."""
    stated = stream.average_rate or stream.guessed_rate
    if index.times is None or index.count < 2 or not stream.time_base:
        return stated
    measured = (index.count - 1) / (int(index.times[-1] - index.times[0]) * stream.time_base)
    return stated if stated and abs(stated / measured - 1) <= RATE_TOLERANCE else measured


def _index_packets(path: Path) -> FrameIndex | None:
    import av

    container, stream = open_video(path)
    shown: list[int | None] = []
    keys: list[int | None] = []
    found, broken = 0, False
    with container:
        try:
            for packet in container.demux(stream):
                found += packet.size > 0 or packet.dts is not None
                broken |= packet.is_corrupt
                if packet.size and not packet.is_discard and (keys or packet.is_keyframe):
                    shown.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
        except av.FFmpegError as error:
            _refuse(path, f"reading stops after {counted(found, 'frame')} ({error.strerror})")
        _check_length(path, container, stream, found, broken, [time for time in shown if time is not None])
        names = {stream.codec_context.name, stream.codec_context.codec.canonical_name}
    if not keys or None in shown or names.isdisjoint(ONE_FRAME_PER_PACKET):
        return None
    times, key_times = np.array(shown, dtype=np.int64), np.array(keys, dtype=np.int64)
    times = np.sort(times[times >= key_times[0]])
    if np.any(np.diff(times) == 0) or _first_time(path) != times[0]:
        return None
    return FrameIndex(len(times), times, np.sort(key_times))


def _first_time(path: Path) -> int | None:
    container, stream = open_video(path)
    with container:
        frame = next(decode_packets(container.demux(stream)), None)
        return None if frame is None else frame.pts


def _index_by_decoding(path: Path) -> FrameIndex:
    import av

    container, stream = open_video(path)
    times: list[int | None] = []
    keys: list[int | None] = []
    with container:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.FFmpegError as error:
                if not times:
                    continue  # what comes before the first whole picture is no frame
                _refuse(path, f"decoding fails after frame {len(times) - 1} ({error.strerror})")
            times += [frame.pts for frame in frames]
            keys += [frame.pts for frame in frames if frame.key_frame]
    known = [time for time in times if time is not None]
    if len(known) < len(times) or any(later <= time for time, later in itertools.pairwise(known)):
        return FrameIndex(len(times), None, np.zeros(0, dtype=np.int64))
    return FrameIndex(len(times), np.array(known, dtype=np.int64), np.array(keys, dtype=np.int64))


def _check_length(
    path: Path, container: InputContainer, stream: VideoStream, found: int, broken: bool, times: list[int]
) -> None:
    """Compares what the header promises with the packets that are there.

    The number of frames binds in MP4 and MOV; other headers are less exact, so 2 % may be missing there. Matroska and
    WebM promise a duration instead.
    """
    allowed = 0 if "mp4" in container.format.name or broken else stream.frames // 50
    if stream.frames - found > allowed or (broken and stream.frames == found):
        _refuse(path, f"its header promises {counted(stream.frames, 'frame')}, {found - broken} are there")
    length = _stated_seconds(container, stream)
    if length is not None and times and stream.time_base:
        ordered = np.sort(np.array(times, dtype=np.int64))
        gap = float(stream.time_base * int(np.diff(ordered).max(initial=0)))
        end = float(stream.time_base * int(ordered[-1])) + gap
        if length - end > 0.1 + 2 * gap:
            _refuse(path, f"its header promises {length:.1f} s, its frames end after {end:.1f} s")


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Length of the video stream as a Matroska or WebM header states it; None elsewhere."""
    if "matroska" not in container.format.name or container.duration is None:
        return None
    whole = container.duration / 1_000_000
    try:
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return min(whole, int(hours) * 3600 + int(minutes) * 60 + float(seconds))
    except (KeyError, ValueError):
        return whole if len(container.streams) == 1 else None


def _refuse(path: Path, reason: str) -> NoReturn:
    raise UserError(
        f"{path} is truncated or damaged: {reason}; copy it again, or save what is there with "
        f"'ffmpeg -i {path.name} -c copy whole.mkv'"
    )
