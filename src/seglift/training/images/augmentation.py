"""Random views of an image and its labels, changed together: scale, crop, flip, then colour and blur of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from seglift.base.errors import UserError
from seglift.models.network import IMAGENET_MEAN
from seglift.training.images.color_changes import (
    ImageF,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    blur,
)
from seglift.training.images.sample import Sample

IGNORE = 255
MOST_HUE = 0.5


@dataclass(frozen=True)
class AugmentationConfig:
    """How strongly views vary. Order and ranges of Zhu et al.'s released training (CVPR 2019)."""

    scale: tuple[float, float] = (0.5, 2.0)
    """Range of the random scale."""
    aspect: float = 0.0
    """Largest random change of the ratio of width and height, as a share; 0 keeps it."""
    flip: float = 0.5
    """Probability of mirroring left and right."""
    jitter: float = 0.25
    """Strength of brightness, contrast, saturation and hue changes, in random order; 0 for none."""
    hue: float | None = None
    """Strength of hue changes where it differs from ``jitter``, at most 0.5, which reaches every hue."""
    blur: tuple[float, float] | None = (0.15, 1.3)
    """Range of the Gaussian blur's sigma in pixels, or none."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        sigma = self.blur
        rules = {
            "scale": (0 < self.scale[0] <= self.scale[1], "two ascending numbers above 0"),
            "aspect": (0 <= self.aspect < 1, "0 to below 1"),
            "flip": (0 <= self.flip <= 1, "0..1"),
            "jitter": (0 <= self.jitter <= 1, "0..1"),
            "hue": (self.hue is None or 0 <= self.hue <= MOST_HUE, "0..0.5, or none"),
            "blur": (sigma is None or 0 < sigma[0] <= sigma[1], "two ascending numbers above 0, or none"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")


@dataclass(frozen=True)
class View:
    """One augmented crop.

    Attributes:
        image: float32 [3, h, w] in 0..1; the mean colour where the crop reaches outside.
        label: uint8 [h, w] train ids; 255 outside.
        weight: float32 [h, w]; 1 where the sample has no weights.
        places: float32 [2, h, w]: x and y of each pixel in the whole image, -1..1 inside.
        instances: int32 [h, w], numbers of single objects, 0 where there is none and outside; None where the sample has
            none.
    """

    image: Tensor
    label: Tensor
    weight: Tensor
    places: Tensor
    instances: Tensor | None = None


def random_view(
    sample: Sample,
    size: tuple[int, int],
    config: AugmentationConfig,
    generator: np.random.Generator,
    point: tuple[int, int] | None = None,
) -> View:
    """A random view of ``sample``, in the order of Zhu et al.'s released training: scale, crop, flip, jitter, blur.

    Scaling and cropping are one resampling of the part of the image that the crop shows. Images are resampled bicubic
    with antialiasing, labels and instances by the pixel nearest. A crop with a point lies anywhere within the image
    where it shows the point, each place equally likely. The released code draws the crop's first pixel from [c - w, c]
    and then moves it inside the image, which shows points near the border mostly in the one crop that touches it, and
    can miss the point by a pixel. An image smaller than the crop is centred, the rest is the mean colour and 255.

    Args:
        sample: image and labels [H, W].
        size: (h, w) of the crop.
        config: how strongly to vary.
        generator: source of every random choice.
        point: (row, column) of a pixel that the crop shall show; None crops anywhere.
    """
    scale = float(generator.uniform(*config.scale))
    stretch = float(generator.uniform(1 - config.aspect, 1 + config.aspect)) ** 0.5 if config.aspect else 1.0
    window = (max(1, round(size[0] / (scale / stretch))), max(1, round(size[1] / (scale * stretch))))
    height, width = sample.label.shape
    top = _start(height, window[0], generator, None if point is None else point[0])
    left = _start(width, window[1], generator, None if point is None else point[1])
    flip = bool(generator.random() < config.flip)
    box = (top, left, window[0], window[1])
    pixels = _resize_image(_cut(sample.image, box, [round(255 * value) for value in IMAGENET_MEAN]), size)
    image = np.divide(cv2.flip(pixels, 1) if flip else pixels, np.float32(255), dtype=np.float32)
    _change_colors(image, config, generator)
    label = _resize_nearest(_cut(sample.label, box, IGNORE), size, flip)
    if sample.weight is None:
        weight = torch.ones(size)
    else:
        weight = _resize_nearest(_cut(sample.weight, box, 0), size, flip).float()
    columns, rows = _places(left, window[1], size[1], width), _places(top, window[0], size[0], height)
    places = torch.empty(2, *size)
    places[0], places[1] = columns.flip(0) if flip else columns, rows[:, None]
    numbers = sample.instances
    instances = None if numbers is None else _resize_nearest(_cut(numbers, box, 0), size, flip).int()
    return View(_planes(image), label, weight, places, instances)


def _change_colors(image: ImageF, config: AugmentationConfig, generator: np.random.Generator) -> None:
    """Colour jitter in random order, then blur: float32 [h, w, 3] in 0..1, contiguous, changed in place."""
    if config.jitter > 0:
        factors = generator.uniform(1 - config.jitter, 1 + config.jitter, size=3)
        hues = min(config.jitter, MOST_HUE) if config.hue is None else config.hue
        hue = float(generator.uniform(-hues, hues))
        for which in generator.permutation(4):
            if which == 0:
                adjust_brightness(image, float(factors[0]))
            elif which == 1:
                adjust_contrast(image, float(factors[1]))
            elif which == 2:
                adjust_saturation(image, float(factors[2]))
            elif hue != 0:
                adjust_hue(image, hue)
    if config.blur is not None:
        blur(image, float(generator.uniform(*config.blur)))


def _planes(image: ImageF) -> Tensor:
    """float32 [h, w, 3] to [3, h, w], contiguous."""
    planes = np.empty((3, *image.shape[:2]), np.float32)
    cv2.split(image, list(planes))
    return torch.from_numpy(planes)


def _resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] to [h, w, 3], bicubic with antialiasing."""
    # The pixels stay interleaved: twice as fast as three planes.
    interleaved = torch.from_numpy(np.ascontiguousarray(image))[None].permute(0, 3, 1, 2)
    resized = TF.resize(interleaved, list(size), InterpolationMode.BICUBIC, antialias=True)
    pixels: NDArray[np.uint8] = resized[0].permute(1, 2, 0).contiguous().numpy()
    return pixels


def _resize_nearest(values: NDArray[Any], size: tuple[int, int], flip: bool) -> Tensor:
    """[H, W] to [h, w], the pixel nearest to each centre; mirrored left and right where ``flip``."""
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, values.shape, strict=True))
    return torch.from_numpy(np.take(values[rows], columns[::-1] if flip else columns, axis=1))


def _places(start: int, window: int, size: int, length: int) -> Tensor:
    """Where ``size`` pixels that show ``window`` pixels from ``start`` lie along a side of ``length``, -1..1 inside."""
    pixels = start + (torch.arange(size, dtype=torch.float32) + 0.5) * (window / size) - 0.5
    return pixels / max(length - 1, 1) * 2.0 - 1.0


def _start(length: int, window: int, generator: np.random.Generator, point: int | None) -> int:
    """First pixel of the window: uniform, showing ``point`` if given; a window larger than the image is centred."""
    if window >= length:
        return -((window - length) // 2)
    low, high = 0, length - window
    if point is not None:
        low, high = max(low, point - window + 1), min(high, point)
    return int(generator.integers(low, high + 1))


def _cut(array: NDArray[Any], box: tuple[int, int, int, int], fill: int | list[int]) -> NDArray[Any]:
    """The box (top, left, height, width) of [H, W] or [H, W, N]; ``fill`` where it reaches outside."""
    top, left, height, width = box
    bottom, right = min(array.shape[0], top + height), min(array.shape[1], left + width)
    first, start = max(0, top), max(0, left)
    shown = array[first:bottom, start:right]
    missing = (first - top, top + height - bottom, start - left, left + width - right)
    if not any(missing):
        return shown
    value = fill if isinstance(fill, list) else [fill]
    padded: NDArray[Any] = cv2.copyMakeBorder(shown, *missing, cv2.BORDER_CONSTANT, value=value)
    return padded
