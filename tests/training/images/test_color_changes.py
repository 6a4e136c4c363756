from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from seglift.training.images.color_changes import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    blur,
)


def picture(seed: int = 0) -> np.ndarray:
    """Random colours, pure colours, greys, black and white."""
    image = np.random.default_rng(seed).random((37, 29, 3)).astype(np.float32)
    image[:9] = image[:9].round()
    image[9:18] = image[9:18, :, :1]
    return image


def close(image: np.ndarray, expected: Tensor) -> bool:
    return bool(np.abs(image - expected.permute(1, 2, 0).numpy()).max() < 1e-5)


# torchvision's definitions are the oracle.
@pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    [
        (adjust_brightness, TF.adjust_brightness, (0.0, 0.75, 1.0, 1.25, 2.0)),
        (adjust_contrast, TF.adjust_contrast, (0.0, 0.75, 1.0, 1.25, 2.0)),
        (adjust_saturation, TF.adjust_saturation, (0.0, 0.75, 1.0, 1.25, 2.0)),
        (adjust_hue, TF.adjust_hue, (-0.5, -0.25, -0.013, 0.1, 0.25, 0.5)),
    ],
)
def test_colours_change_as_in_torchvision(
    ours: Callable[[np.ndarray, float], None], theirs: Callable[[Tensor, float], Tensor], values: tuple[float, ...]
) -> None:
    for value in values:
        image = picture()
        expected = theirs(torch.from_numpy(picture()).permute(2, 0, 1), value)
        ours(image, value)
        assert close(image, expected)
        assert image.min() >= -1e-5
        assert image.max() <= 1 + 1e-5


@pytest.mark.parametrize("sigma", [0.15, 0.5, 1.0, 1.3, 3.0])
def test_blur_is_torchvisions(sigma: float) -> None:
    image = picture()
    size = 2 * max(1, round(2.5 * sigma)) + 1
    expected = TF.gaussian_blur(torch.from_numpy(picture()).permute(2, 0, 1), [size, size], [sigma, sigma])
    blur(image, sigma)
    assert close(image, expected)


def test_blur_of_a_picture_smaller_than_its_kernel() -> None:
    image = np.full((2, 3, 3), 0.4, np.float32)
    blur(image, 5.0)
    assert np.allclose(image, 0.4)
