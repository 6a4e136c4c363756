"""From linear light to the camera's 8-bit image: exposure, tone curve, colour, vignette, sensor noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.styles import StreetStyle


def develop(light: NDArray[np.float32], style: StreetStyle, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """Develops one frame.

    Args:
        light: float32 [H, W, 3], linear RGB.
        style: exposure, colour and noise.
        rng: of the sensor noise; None for a noise-free frame.

    Returns:
        uint8 [H, W, 3], sRGB-like.
    """
    height, width = light.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
    vignette = 1 - np.float32(0.07) * (x * x + y * y)
    exposed = light * np.array(style.cast, np.float32) * np.float32(style.exposure) * vignette[..., None]
    mapped = exposed * (1 + exposed * np.float32(0.16)) / (1 + exposed * np.float32(0.62))
    grey = mapped[..., 0] * np.float32(0.299) + mapped[..., 1] * np.float32(0.587) + mapped[..., 2] * np.float32(0.114)
    mapped = np.clip(grey[..., None] + (mapped - grey[..., None]) * np.float32(style.saturation), 0, None)
    toned = np.float32(1.02) * mapped ** np.float32(1 / 2.2)
    toned = np.float32(0.5) + (toned - np.float32(0.5)) * np.float32(style.contrast)
    levels = toned * 255
    if rng is not None:
        read, shot = style.noise
        deviation = read + shot * np.sqrt(np.clip(toned, 0, 1))
        levels = levels + deviation * rng.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(np.clip(np.round(levels), 0, 255), np.uint8)
