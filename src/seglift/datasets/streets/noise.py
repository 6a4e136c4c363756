"""Seamlessly tiling random fields, shaped in the Fourier domain: no frequency above what the tile can hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tiling_noise(
    rng: np.random.Generator, size: int, slope: float = 1.0, low: float = 1.0, high: float | None = None
) -> NDArray[np.float64]:
    """Gaussian noise [size, size] with mean 0 and standard deviation 1 that tiles in both directions.

    Args:
        rng: source of randomness.
        size: edge length in pixels.
        slope: amplitude falls as frequency ** -slope (0 = white, 1 = clouds and dirt, 2 = large patches).
        low: lowest frequency kept, in cycles per tile.
        high: highest frequency kept; default a third of the sampling rate.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    rows, columns = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None]
    radius = np.hypot(rows, columns)
    top = size / 3 if high is None else high
    gain = np.where((radius >= low) & (radius <= top), np.maximum(radius, 1.0) ** -slope, 0.0)
    field = np.fft.irfft2(spectrum * gain, s=(size, size))
    spread = float(field.std())
    return field / spread if spread > 0 else field
