"""How near a made image comes to the true one: PSNR, SSIM (Wang et al. 2004) and interpolation error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

LEAST_ERROR = 1e-10
"""Mean squared error below which PSNR no longer grows: 100 dB, so that equal images keep a mean finite."""
WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of SSIM's Gaussian window, pixels."""
K1, K2 = 0.01, 0.03
"""SSIM's constants."""


def mean_squared_error(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference of each image, float64 [B], of images float [B, C, H, W] in 0..1."""
    _check(prediction, truth)
    return (prediction.float() - truth.float()).square().mean((1, 2, 3)).cpu().double()


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB for a range of 1, float64 [B]; at most 100.

    Args:
        prediction: float [B, C, H, W] in 0..1.
        truth: the same shape.

    Raises:
        ValueError: shapes that do not fit together.
    """
    return -10.0 * torch.log10(mean_squared_error(prediction, truth).clamp_min(LEAST_ERROR))


def ssim(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of each image, float64 [B], at most 1; the mean over colour planes and pixels.

    Wang et al., IEEE TIP 13(4), 2004, section III: Gaussian window of 11 x 11 pixels with sigma 1.5, range 1, constants
    0.01 and 0.03; pixels whose window reaches outside are left out.

    Args:
        prediction: float [B, C, H, W] in 0..1, at least 11 x 11.
        truth: the same shape.

    Raises:
        ValueError: shapes that do not fit together, or smaller images.
    """
    _check(prediction, truth)
    if min(prediction.shape[2:]) < WINDOW:
        raise ValueError(f"SSIM needs images of {WINDOW}x{WINDOW} at least, got {tuple(prediction.shape[2:])}")
    x, y = prediction.float(), truth.float()
    mean_x, mean_y, square_x, square_y, product = (_smooth(values) for values in (x, y, x * x, y * y, x * y))
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    covariance = product - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x.square() + mean_y.square() + c1) * (variances + c2)
    return (above / below).mean((1, 2, 3)).cpu().double()


def interpolation_error(prediction: Tensor, truth: Tensor) -> Tensor:
    """Root mean squared difference of each image in 0..255 units (Baker et al., IJCV 2011), float64 [B]."""
    return 255.0 * mean_squared_error(prediction, truth).sqrt()


@dataclass(frozen=True, eq=False)
class ImageQuality:
    """Scores summed over images; sums of several parts or processes add up.

    Attributes:
        sums: float64 [4]: number of images, and the sums of PSNR, SSIM and interpolation error.

    Example:
        >>> import torch
        >>> quality = ImageQuality.empty()
        >>> quality.update(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.6))
        >>> quality.frames, round(quality.psnr(), 3), round(quality.interpolation_error(), 3)
        (1, 20.0, 25.5)
    """

    sums: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.sums.shape != (4,):
            raise ValueError(f"sums must be [4], got {self.sums.shape}")

    @classmethod
    def empty(cls) -> Self:
        """No image yet."""
        return cls(np.zeros(4, np.float64))

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Adds images in place: float [B, C, H, W] in 0..1, of one shape, at least 11 x 11 pixels."""
        scores = [score(prediction, truth).numpy().sum() for score in (psnr, ssim, interpolation_error)]
        self.sums[:] += [len(prediction), *scores]

    def __add__(self, other: ImageQuality) -> ImageQuality:
        return ImageQuality(self.sums + other.sums)

    @property
    def frames(self) -> int:
        """Number of images."""
        return int(self.sums[0])

    def psnr(self) -> float:
        """Mean over the images, dB; NaN without any."""
        return self._mean(1)

    def ssim(self) -> float:
        """Mean over the images; NaN without any."""
        return self._mean(2)

    def interpolation_error(self) -> float:
        """Mean over the images, 0..255 units; NaN without any."""
        return self._mean(3)

    def _mean(self, which: int) -> float:
        return float(self.sums[which] / self.sums[0]) if self.sums[0] else float("nan")


def _smooth(values: Tensor) -> Tensor:
    """Gaussian mean around every pixel whose window lies inside: [B, C, H, W] to [B, C, H - 10, W - 10]."""
    places = torch.arange(WINDOW, dtype=torch.float32, device=values.device) - WINDOW // 2
    kernel = torch.exp(-0.5 * (places / SIGMA).square())
    kernel = kernel / kernel.sum()
    planes = values.flatten(0, 1)[:, None]
    planes = functional.conv2d(functional.conv2d(planes, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return planes.view(*values.shape[:2], *planes.shape[2:])


def _check(prediction: Tensor, truth: Tensor) -> None:
    if prediction.shape != truth.shape or prediction.ndim != 4:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and truth {tuple(truth.shape)} must be [B, C, H, W] of one size"
        )
