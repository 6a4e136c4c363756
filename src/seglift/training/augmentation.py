"""Random views of an image and its labels, changed together: scale, crop, flip, then colour and blur of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from seglift.models.network import IMAGENET_MEAN
from seglift.training.sample import Sample

IGNORE = 255


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
    """Strength of hue changes where it differs from ``jitter``."""
    blur: tuple[float, float] | None = (0.15, 1.3)
    """Range of the Gaussian blur's sigma in pixels, or none."""


@dataclass(frozen=True)
class View:
    """One augmented crop.

    Attributes:
        image: float32 [3, h, w] in 0..1; the mean colour where the crop reaches outside.
        label: uint8 [h, w] train ids; 255 outside.
        weight: float32 [h, w]; 1 where the sample has no weights.
        places: float32 [2, h, w]: x and y of each pixel in the whole image, -1..1 inside.
    """

    image: Tensor
    label: Tensor
    weight: Tensor
    places: Tensor


def random_view(
    sample: Sample,
    size: tuple[int, int],
    config: AugmentationConfig,
    generator: np.random.Generator,
    point: tuple[int, int] | None = None,
) -> View:
    """A random view of ``sample``.

    Scaling and cropping are one resampling of the part of the image that the crop shows. Images are resampled bicubic
    with antialiasing, labels by the pixel nearest.

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
    mean = [round(255 * value) for value in IMAGENET_MEAN]
    image = _cut(torch.from_numpy(sample.image).permute(2, 0, 1), box, mean)
    label = _cut(torch.from_numpy(sample.label)[None], box, [IGNORE])
    weight = torch.ones(label.shape) if sample.weight is None else _cut(torch.from_numpy(sample.weight)[None], box, [0])
    image = TF.resize(image, list(size), InterpolationMode.BICUBIC, antialias=True)
    label = TF.resize(label, list(size), InterpolationMode.NEAREST_EXACT)
    weight = TF.resize(weight, list(size), InterpolationMode.NEAREST_EXACT)
    places = torch.stack(
        torch.meshgrid(
            _places(left, window[1], size[1], width), _places(top, window[0], size[0], height), indexing="xy"
        )
    )
    if flip:
        image, label, weight, places = (TF.horizontal_flip(part) for part in (image, label, weight, places))
    image = change_colors(image.float() / 255, config, generator)
    return View(image.contiguous(), label[0].contiguous(), weight[0].float().contiguous(), places.contiguous())


def change_colors(image: Tensor, config: AugmentationConfig, generator: np.random.Generator) -> Tensor:
    """Colour jitter in random order, then blur: float32 [3, h, w] in 0..1 to the same."""
    if config.jitter > 0:
        factors = generator.uniform(1 - config.jitter, 1 + config.jitter, size=3)
        hues = config.jitter if config.hue is None else config.hue
        hue = float(generator.uniform(-hues, hues))
        for which in generator.permutation(4):
            if which == 0:
                image = TF.adjust_brightness(image, float(factors[0]))
            elif which == 1:
                image = TF.adjust_contrast(image, float(factors[1]))
            elif which == 2:
                image = TF.adjust_saturation(image, float(factors[2]))
            else:
                image = TF.adjust_hue(image, hue)
    if config.blur is not None:
        sigma = float(generator.uniform(*config.blur))
        image = TF.gaussian_blur(image, [2 * max(1, round(2.5 * sigma)) + 1] * 2, [sigma, sigma])
    return image


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


def _cut(array: Tensor, box: tuple[int, int, int, int], fill: list[int]) -> Tensor:
    """The box (top, left, height, width) of [N, H, W]; ``fill`` (a value per channel) where it reaches outside."""
    top, left, height, width = box
    result = torch.tensor(fill, dtype=array.dtype).view(-1, 1, 1).expand(-1, height, width).clone()
    bottom, right = min(array.shape[1], top + height), min(array.shape[2], left + width)
    first, start = max(0, top), max(0, left)
    result[:, first - top : bottom - top, start - left : right - left] = array[:, first:bottom, start:right]
    return result
