"""An image file opened with suspicion: what it holds is known, and that it is whole, before a pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seglift.base.errors import UserError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START_OF_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_FAST = {
    ("L", 8): cv2.IMREAD_GRAYSCALE,
    ("I;16", 16): cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH,
    ("RGB", 8): cv2.IMREAD_COLOR_RGB,
}
"""How OpenCV decodes PNGs of a mode and bits to the samples as they are stored."""


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file and what its header says.

    Attributes:
        path: where it was read.
        data: all its bytes.
        image: Pillow's view; nothing is decoded yet.
        bits: bits per channel as stored (8 where the format has no other).
        whole: its end is where the format wants it; where False the decoder must be one that notices.
    """

    path: Path
    data: bytes
    image: Image.Image
    bits: int
    whole: bool

    @property
    def has_alpha(self) -> bool:
        """Whether it says anything about transparency."""
        return self.image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in self.image.info

    @property
    def kind(self) -> str:
        """What it is, for messages: ``"PNG, mode RGB, 8 bits"``."""
        return f"{self.image.format}, mode {self.image.mode}, {self.bits} bits"


def open_image_file(path: Path) -> ImageFile:
    """Reads the file and its header; a PNG is checked chunk by chunk.

    Raises:
        UserError: missing, empty, truncated, damaged, or no image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    if not data:
        raise UserError(f"{path} is empty (0 bytes), an image is expected; write it again or remove it")
    bits, whole = 8, False
    if data.startswith(_PNG_SIGNATURE):
        problem = find_png_damage(data)
        if problem is not None:
            raise UserError(f"{path} is a damaged PNG ({problem}); write it again")
        bits, whole = data[24], True
    elif data.startswith(b"\xff\xd8"):
        # Entropy-coded data holds no markers, so an end mark behind the last scan means that the scan is complete.
        whole = data.rfind(_JPEG_END) > data.rfind(_JPEG_START_OF_SCAN)
    try:
        image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large a picture ({error}); make it smaller") from error
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise UserError(f"{path} is no image that can be read; an image such as PNG or JPEG is expected") from error
    if image.format != "PNG":
        bits = 1 if image.mode == "1" else 16 if image.mode.startswith(("I", "F")) else 8
    return ImageFile(path, data, image, bits, whole)


def pixels(file: ImageFile) -> NDArray[Any]:
    """The decoded samples: [H, W] or [H, W, channels]; palette indices for a palette image.

    Raises:
        UserError: the data behind the header are truncated or damaged.
    """
    plain = file.image.format == "PNG" and not file.has_alpha
    flags = _FAST.get((file.image.mode, file.bits)) if plain else None
    decoded = None if flags is None else decode_fast(file, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is not None:
        return decoded
    image = load(file)
    return np.array(image.convert("L") if image.mode == "1" else image)


def decode_fast(file: ImageFile, flags: int) -> NDArray[Any] | None:
    """Decodes a PNG or JPEG by OpenCV; None where that is not possible and Pillow has to judge.

    Raises:
        UserError: a PNG whose compressed data are damaged (Pillow would not notice).
    """
    if file.image.format not in ("PNG", "JPEG"):
        return None
    decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(file.data, np.uint8), flags)
    if decoded is None and file.image.format == "PNG":
        raise UserError(f"{file.path} is a damaged PNG (its compressed data); write it again")
    return decoded


def load(file: ImageFile) -> Image.Image:
    """Pillow's image with its data decoded.

    Raises:
        UserError: the data are truncated or damaged.
    """
    try:
        file.image.load()
    except (OSError, ValueError, SyntaxError, struct.error, zlib.error) as error:
        raise UserError(f"{file.path} is truncated or damaged ({error}); write it again") from error
    return file.image


def drop_opaque_alpha(file: ImageFile) -> Image.Image:
    """The decoded image without its alpha channel.

    Raises:
        UserError: a pixel is not opaque, or the data are damaged.
    """
    image = load(file)
    if not file.has_alpha:
        return image
    image = image.convert("RGBA")
    lowest = image.getchannel("A").getextrema()[0]
    if lowest != 255:
        raise UserError(f"{file.path} has transparent pixels, an opaque picture is expected; convert it to 8-bit RGB")
    return image.convert("RGB")


def find_png_damage(data: bytes) -> str | None:
    """What is wrong with the chunks of a PNG (missing end, wrong checksum), or None. Pixel data are not inflated."""
    position, end = len(_PNG_SIGNATURE), len(data)
    view = memoryview(data)
    first = True
    while position + 12 <= end:
        length, kind = struct.unpack_from(">I4s", data, position)
        stop = position + 12 + length
        if stop > end:
            return "truncated"
        if zlib.crc32(view[position + 4 : stop - 4]) != struct.unpack_from(">I", data, stop - 4)[0]:
            return f"checksum of chunk {kind!r} at byte {position}"
        if first and (kind != b"IHDR" or length != 13):
            return "no header"
        if kind == b"IEND":
            return None
        first, position = False, stop
    return "truncated"
