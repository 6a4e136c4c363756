"""Pictures of a report as small data URIs: a JPEG for the image, palette PNGs for whatever has a meaning per value."""

from __future__ import annotations

import base64
import colorsys
import io
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.report.contents import Array8

Color = tuple[int, int, int]

JPEG_QUALITY = 80
CONFIDENCE_STEPS = 16
PROVENANCE_COLORS: tuple[Color, ...] = (
    (0, 158, 115),
    (0, 114, 178),
    (111, 195, 240),
    (236, 165, 20),
    (205, 105, 160),
    (96, 96, 96),
)
ERROR_COLORS: tuple[Color, ...] = ((0, 0, 0), (255, 45, 85), (128, 128, 128))
OBJECT_COLORS = 48
"""Objects whose numbers differ by a multiple of it have one colour."""
_CONFIDENCE_STOPS = np.array(((255, 238, 120), (250, 165, 45), (214, 70, 90), (112, 30, 118), (22, 14, 58)), np.float64)


def confidence_colors() -> tuple[Color, ...]:
    """One colour per confidence step, from 0 (light yellow) to 1 (nearly black); lightness falls steadily."""
    at = np.linspace(0, len(_CONFIDENCE_STOPS) - 1, CONFIDENCE_STEPS)
    stops = np.arange(len(_CONFIDENCE_STOPS))
    channels = [np.interp(at, stops, _CONFIDENCE_STOPS[:, channel]).round().astype(int) for channel in range(3)]
    return tuple((int(red), int(green), int(blue)) for red, green, blue in zip(*channels, strict=True))


def distinct_colors(colors: Sequence[Color]) -> tuple[Color, ...]:
    """The same colours, equal ones told apart by an invisible step, so that the page can read a class from its colour.

    Colours are 0..255 each; a repeated one moves towards the middle by the least steps of blue, then green, then red,
    that make it unique.
    """
    taken: dict[Color, None] = {}
    for color in colors:
        candidate, step = color, 0
        while candidate in taken:
            step += 1
            red, green, blue = step // 64, step // 8 % 8, step % 8
            candidate = (_nudge(color[0], red), _nudge(color[1], green), _nudge(color[2], blue))
        taken[candidate] = None
    return tuple(taken)


def _nudge(value: int, step: int) -> int:
    return value + step if value < 128 else value - step


def thumbnail_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Height and width reduced so that the longer one is at most ``long_side``; never enlarged."""
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def image_uri(image: Array8, size: tuple[int, int]) -> str:
    """An RGB image uint8 [H, W, 3] as a JPEG of ``size`` (height, width)."""
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _data_uri("image/jpeg", data.tobytes())


def labels_uri(labels: Array8, colors: Sequence[Color], size: tuple[int, int]) -> str:
    """Values uint8 [H, W] below ``len(colors)`` as a palette PNG of ``size``, reduced by nearest sampling."""
    return _palette_uri(cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST), colors)


def confidence_uri(confidence: Array8, size: tuple[int, int]) -> str:
    """Confidence uint8 [H, W], 0..255 = 0..1, as a palette PNG of :data:`CONFIDENCE_STEPS` colours."""
    small = cv2.resize(confidence, size[::-1], interpolation=cv2.INTER_AREA)
    steps = (small.astype(np.uint16) * CONFIDENCE_STEPS >> 8).astype(np.uint8)
    return _palette_uri(steps, confidence_colors())


def errors_uri(labels: Array8, truth: Array8, space: LabelSpace, size: tuple[int, int]) -> str:
    """Where space indices [H, W] differ from the truth, by train id: right (clear), wrong, not evaluated."""
    expected = space.to_train(truth)
    kind = (space.to_train(labels) != expected).astype(np.uint8)
    kind[expected == IGNORE_TRAIN_ID] = 2
    return _palette_uri(cv2.resize(kind, size[::-1], interpolation=cv2.INTER_NEAREST), ERROR_COLORS, clear=0)


def object_colors() -> tuple[Color, ...]:
    """:data:`OBJECT_COLORS` colours, neighbours far apart: hues a golden angle apart, at three lightnesses."""
    found = []
    for number in range(OBJECT_COLORS):
        hue, light = number * 0.381966 % 1.0, (0.42, 0.58, 0.72)[number % 3]
        red, green, blue = (round(255 * channel) for channel in colorsys.hls_to_rgb(hue, light, 0.85))
        found.append((red, green, blue))
    return tuple(found)


def objects_uri(objects: NDArray[np.int32], size: tuple[int, int]) -> str:
    """Objects int32 [H, W], 0 = none (clear), as a palette PNG: a colour for each, a black line around it."""
    small = cv2.resize(objects, size[::-1], interpolation=cv2.INTER_NEAREST)
    values = np.where(small > 0, small % OBJECT_COLORS + 2, 0).astype(np.uint8)
    right, below = small[:, 1:] != small[:, :-1], small[1:] != small[:-1]
    edge = np.zeros(small.shape, bool)
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    edge[1:] |= below
    edge[:-1] |= below
    values[edge & (small > 0)] = 1
    return _palette_uri(values, ((0, 0, 0), (0, 0, 0), *object_colors()), clear=0)


def _palette_uri(values: Array8, colors: Sequence[Color], clear: int | None = None) -> str:
    picture = Image.frombytes("P", (values.shape[1], values.shape[0]), np.ascontiguousarray(values).tobytes())
    picture.putpalette([channel for color in colors for channel in color])
    bits = next(bits for bits in (1, 2, 4, 8) if len(colors) <= 1 << bits)
    buffer = io.BytesIO()
    extra = {} if clear is None else {"transparency": clear}
    picture.save(buffer, "PNG", bits=bits, compress_level=6, compress_type=zlib.Z_RLE, **extra)
    return _data_uri("image/png", buffer.getvalue())


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
