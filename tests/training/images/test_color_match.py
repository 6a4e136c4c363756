from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from seglift.training.images.color_match import match_colors


def noise(seed: int, middle: float, spread: float, size: tuple[int, int] = (24, 32)) -> torch.Tensor:
    """Values around ``middle`` that nothing clips."""
    values = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)) - 0.5
    return middle + spread * values * torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1)


def test_mean_and_spread_become_those_of_the_reference() -> None:
    image, reference = noise(0, 0.7, 0.4), noise(1, 0.4, 0.2, (10, 50))
    before = image.clone()
    matched = match_colors(image, reference)
    assert torch.allclose(matched.mean((1, 2)), reference.mean((1, 2)), atol=1e-5)
    assert torch.allclose(matched.std((1, 2)), reference.std((1, 2)), rtol=1e-2)
    assert torch.equal(image, before)


def test_an_image_with_its_own_colours_stays_as_it_is() -> None:
    image = noise(2, 0.5, 0.6)
    assert torch.allclose(match_colors(image, image), image, atol=1e-6)


def test_an_image_of_one_colour_takes_the_mean_of_the_reference() -> None:
    reference = noise(3, 0.3, 0.2)
    matched = match_colors(torch.full((3, 8, 8), 0.9), reference)
    assert torch.allclose(matched, reference.mean((1, 2)).view(3, 1, 1).expand(3, 8, 8), atol=1e-5)


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 2))
def test_values_stay_finite_and_in_range(seed: int, middle: float, spread: float) -> None:
    image, reference = noise(seed, middle, spread).clamp(0, 1), noise(seed + 1, 1 - middle, 2 - spread).clamp(0, 1)
    matched = match_colors(image, reference)
    assert torch.isfinite(matched).all() and matched.min() >= 0 and matched.max() <= 1
