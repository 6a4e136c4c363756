"""Random changes of an image's colours and sharpness, in place on float32 [h, w, 3]: torchvision's meaning by OpenCV.

torchvision defines what brightness, contrast, saturation, hue and blur mean; OpenCV does the same arithmetic some ten
times faster on a CPU core (hue and blur 18 to 30 times).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_GRAY = np.array([0.2989, 0.587, 0.114])
"""Weights of red, green and blue in torchvision's grey."""

ImageF = NDArray[np.float32]


def adjust_brightness(image: ImageF, factor: float) -> None:
    """Multiplies all values by ``factor`` >= 0 and clips to 0..1."""
    np.multiply(image, np.float32(factor), out=image)
    np.clip(image, 0, 1, out=image)


def adjust_contrast(image: ImageF, factor: float) -> None:
    """Stretches values by ``factor`` >= 0 around the mean grey and clips to 0..1."""
    mean = float(np.dot(_GRAY, cv2.mean(image)[:3]))
    np.multiply(image, np.float32(factor), out=image)
    np.add(image, np.float32((1 - factor) * mean), out=image)
    np.clip(image, 0, 1, out=image)


def adjust_saturation(image: ImageF, factor: float) -> None:
    """Stretches colours by ``factor`` >= 0 around each pixel's grey and clips to 0..1."""
    matrix = factor * np.eye(3) + (1 - factor) * np.tile(_GRAY, (3, 1))
    cv2.transform(image, matrix.astype(np.float32), dst=image)
    np.clip(image, 0, 1, out=image)


def adjust_hue(image: ImageF, turn: float) -> None:
    """Turns the hue of values 0..1 by ``turn`` full circles."""
    cv2.cvtColor(image, cv2.COLOR_RGB2HSV, dst=image)
    cv2.add(image, (360 * (turn % 1), 0, 0, 0), dst=image)  # the way back takes any hue
    cv2.cvtColor(image, cv2.COLOR_HSV2RGB, dst=image)


def blur(image: ImageF, sigma: float) -> None:
    """Gaussian blur of ``sigma`` > 0 pixels, cut at 2.5 sigma; the border is mirrored without its last pixel.

    A side that is no longer than the kernel's radius is mirrored as often as needed.
    """
    size = 2 * max(1, round(2.5 * sigma)) + 1
    cv2.GaussianBlur(image, (size, size), sigma, dst=image, borderType=cv2.BORDER_REFLECT_101)
