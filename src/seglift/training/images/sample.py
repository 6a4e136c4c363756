"""An image with its labels, and its size while training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.inference.multi_scale import resize
from seglift.inference.predict import image_to_tensor, shrunk_size


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        label: uint8 [H, W] train ids, 255 = ignore.
        weight: float32 [H, W], how much each pixel counts in the loss (for example confidence 0..1), or None for 1.
        original: height and width before :func:`shrink`, None where it was not shrunk.
        instances: uint16 [H, W], numbers of single objects, 0 where there is none; None where they are not known.

    Raises:
        ValueError: shapes or types that do not fit.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    weight: NDArray[np.float32] | None = None
    original: tuple[int, int] | None = None
    instances: NDArray[np.uint16] | None = None

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ValueError(f"image uint8 [H,W,3] expected, got {self.image.dtype} {self.image.shape}")
        if self.label.dtype != np.uint8 or self.label.shape != self.image.shape[:2]:
            raise ValueError(f"label uint8 {self.image.shape[:2]} expected, got {self.label.dtype} {self.label.shape}")
        if self.weight is not None and self.weight.shape != self.label.shape:
            raise ValueError(f"weight {self.label.shape} expected, got {self.weight.shape}")
        numbers = self.instances
        if numbers is not None and (numbers.dtype != np.uint16 or numbers.shape != self.label.shape):
            raise ValueError(f"instances uint16 {self.label.shape} expected, got {numbers.dtype} {numbers.shape}")

    def fingerprint(self) -> str:
        """SHA-256 of shape and content, as 64 hexadecimal digits."""
        digest = hashlib.sha256(repr(self.image.shape).encode())
        for part in (self.image, self.label, self.weight):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        if self.instances is not None:
            digest.update(np.ascontiguousarray(self.instances).tobytes())
        return digest.hexdigest()


def shrink(sample: Sample, short_side: int | None) -> Sample:
    """The sample with its short side at most ``short_side`` pixels.

    The image is resampled as inference does it; labels, weights and instances by the pixel nearest.
    """
    height, width = sample.label.shape
    size = shrunk_size(height, width, short_side)
    if size == (height, width):
        return sample
    image = resize(image_to_tensor(sample.image), *size)[0].mul(255).round_().clamp_(0, 255).byte()
    label = _nearest(sample.label, size)
    weight = None if sample.weight is None else _nearest(sample.weight, size)
    instances = None if sample.instances is None else _nearest(sample.instances, size)
    return Sample(image.permute(1, 2, 0).contiguous().numpy(), label, weight, (height, width), instances)


def shrunk_point(point: tuple[int, int], sample: Sample) -> tuple[int, int]:
    """A pixel (row, column) of the original image, in the sample as it is; moved inside where it lies outside."""
    size = sample.label.shape
    original = sample.original or size
    row, column = (int((value + 0.5) * new / old) for value, new, old in zip(point, size, original, strict=True))
    return min(max(row, 0), size[0] - 1), min(max(column, 0), size[1] - 1)


def _nearest(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    resized: NDArray[Any] = cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return resized
