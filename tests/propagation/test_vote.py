from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.propagation.vote import add_votes


def votes_by_hand(labels: np.ndarray, x: float, y: float, weight: float, classes: int) -> np.ndarray:
    """The nine labels around the pixel nearest to (x, y), each by its Gaussian distance, borders replicated."""
    centre_x, centre_y = math.floor(x + 0.5), math.floor(y + 0.5)
    votes, total = np.zeros(classes), 0.0
    for row in range(centre_y - 1, centre_y + 2):
        for column in range(centre_x - 1, centre_x + 2):
            tap = math.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * 0.8**2))
            label = labels[min(max(row, 0), labels.shape[0] - 1), min(max(column, 0), labels.shape[1] - 1)]
            votes[label] += tap
            total += tap
    return weight * votes / total


@pytest.mark.parametrize("seed", range(3))
def test_votes_equal_a_plain_loop(make_state, seed: int):
    state = make_state(seed)
    generator = np.random.default_rng(seed)
    pixels = generator.permutation(12 * 16)[:70]
    weight = generator.uniform(0.01, 3.0, 70)
    before = generator.uniform(0, 1, (70, 5))
    votes = torch.from_numpy(before.astype(np.float32))
    add_votes(votes, state, torch.from_numpy(weight.astype(np.float32)), torch.from_numpy(pixels))
    labels, places = state.origin.labels[0].numpy(), state.sampling_map[0].numpy().astype(float)
    for item, pixel in enumerate(pixels):
        x, y = places[:, pixel // 16, pixel % 16]
        expected = before[item] + votes_by_hand(labels, x, y, weight[item], 5)
        assert np.allclose(votes[item], expected, atol=1e-5)


def test_every_pixel_has_its_weight_to_give(make_state):
    state, weight = make_state(4), torch.rand(12 * 16)
    votes = torch.zeros(12 * 16, 4)
    add_votes(votes, state, weight, torch.arange(12 * 16))
    assert torch.allclose(votes.sum(1), weight, atol=1e-5)


def test_between_two_classes_both_have_half(make_state):
    state = make_state(0)
    labels = torch.zeros_like(state.origin.labels)
    labels[..., 8:] = 1
    state = replace(state, origin=replace(state.origin, labels=labels))
    state.trace[0, 0], state.trace[0, 1] = 7.5, 5.0
    votes = torch.zeros(1, 2)
    add_votes(votes, state, torch.ones(1), torch.tensor([3]))
    # Its centre is column 8, so that of the two columns on either side only those within reach count.
    near, far = math.exp(-0.25 / 1.28), math.exp(-2.25 / 1.28)
    assert votes[0].tolist() == pytest.approx([near / (2 * near + far), (near + far) / (2 * near + far)], abs=1e-5)


def test_no_pixels_no_votes(make_state):
    votes = torch.zeros(0, 4)
    add_votes(votes, make_state(0), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert votes.shape == (0, 4)
