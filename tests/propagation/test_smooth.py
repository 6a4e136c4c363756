from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.propagation.smooth import COLOR_SIGMA, RADIUS, SPATIAL_SIGMA, boundary, grow, smooth_votes

HEIGHT, WIDTH = 9, 11


def random_votes(seed: int, classes: int = 4) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(classes), HEIGHT * WIDTH)).float()


def by_hand(votes: Tensor, image: Tensor) -> np.ndarray:
    """A joint bilateral filter, pixel by pixel, float64 [H, W, K]."""
    colors, values = image[0].permute(1, 2, 0).numpy().astype(float), votes.view(HEIGHT, WIDTH, -1).numpy()
    out = np.zeros_like(values, dtype=float)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        total = 0.0
        for down in range(-RADIUS, RADIUS + 1):
            for right in range(-RADIUS, RADIUS + 1):
                y, x = min(max(row + down, 0), HEIGHT - 1), min(max(column + right, 0), WIDTH - 1)
                unlike = ((colors[y, x] - colors[row, column]) ** 2).sum() / (2 * COLOR_SIGMA**2)
                weight = math.exp(-unlike - (down**2 + right**2) / (2 * SPATIAL_SIGMA**2))
                out[row, column] += weight * values[y, x]
                total += weight
        out[row, column] /= total
    return out


@pytest.mark.parametrize("contrast", [0, 12, 255])
def test_it_is_a_joint_bilateral_filter(contrast):
    image = torch.from_numpy(np.random.default_rng(1).integers(0, contrast + 1, (1, 3, HEIGHT, WIDTH)).astype(np.uint8))
    votes, pixels = random_votes(contrast), torch.arange(HEIGHT * WIDTH)
    smoothed = smooth_votes(votes, pixels, image, pixels)
    assert np.allclose(smoothed.view(HEIGHT, WIDTH, -1).numpy(), by_hand(votes, image), atol=1e-5)
    assert torch.allclose(smoothed.sum(1), torch.ones(len(pixels)), atol=1e-5)


def test_rows_may_lie_in_any_order():
    image = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    votes, order = random_votes(3), torch.randperm(HEIGHT * WIDTH, generator=torch.Generator().manual_seed(1))
    pixels = torch.tensor([0, 17, 50])
    rows = torch.empty_like(order)
    rows[order] = torch.arange(HEIGHT * WIDTH)
    everywhere = torch.arange(HEIGHT * WIDTH)
    expected = smooth_votes(votes, everywhere, image, pixels)
    assert torch.equal(smooth_votes(votes[order], rows, image, pixels), expected)


@pytest.mark.parametrize(("own_color", "survives"), [(False, False), (True, True)])
def test_specks_go_unless_the_image_shows_them(own_color, survives):
    image = torch.full((1, 3, HEIGHT, WIDTH), 90, dtype=torch.uint8)
    labels = torch.zeros(HEIGHT, WIDTH, dtype=torch.long)
    labels[4, 5] = 1
    if own_color:
        image[..., 4, 5] = 200
    votes = torch.nn.functional.one_hot(labels.flatten(), 2).float()
    everywhere = torch.arange(HEIGHT * WIDTH)
    found = smooth_votes(votes, everywhere, image, everywhere).argmax(1).view(HEIGHT, WIDTH)
    assert bool(found[4, 5]) == survives
    assert found.sum() == int(survives)


def test_boundary_and_growth():
    labels = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.uint8)
    labels[0, 4, 5] = 3
    edges = boundary(labels)[0].numpy()
    assert sorted(zip(*np.nonzero(edges), strict=True)) == [(3, 5), (4, 4), (4, 5), (4, 6), (5, 5)]
    single = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    single[0, 0, 5] = True
    grown = grow(single)[0]
    assert grown.sum() == 3 * 5
    assert grown[:3, 3:8].all()
    assert not boundary(torch.full((1, 4, 4), 7, dtype=torch.uint8)).any()
