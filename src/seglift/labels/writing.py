"""PNG files of labels, confidences and pictures: encoded fast, lossless, atomic."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.base.files import write_bytes

# Maps with large equal regions: predicting each row from the one above and coding runs is both the fastest and the
# smallest of zlib's ways (OpenCV before 4.12 cannot choose the filter; it then writes a larger file).
_MAP_FLAGS = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _MAP_FLAGS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def encode_png(array: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """The bytes of a PNG file; equal arrays give equal bytes.

    Args:
        array: uint8 or uint16 [H, W] (a map), or uint8 [H, W, 3] (an RGB picture); H and W at least 1.

    Raises:
        ValueError: another shape or dtype.
    """
    is_map = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    is_picture = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if array.size == 0 or not (is_map or is_picture):
        raise ValueError(f"a PNG holds uint8/uint16 [H, W] or uint8 [H, W, 3], got {array.dtype} {array.shape}")
    content = array if is_map else cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", content, _MAP_FLAGS if is_map else [])
    if not done:
        raise ValueError(f"OpenCV could not encode {array.dtype} {array.shape} as PNG")
    return bytes(encoded)


def write_png(path: Path, array: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Writes ``array`` (see :func:`encode_png`) to ``path``, which appears only when whole.

    Raises:
        UserError: the place cannot be written.
        ValueError: the array is not one a PNG holds.
    """
    write_bytes(path, encode_png(array))
