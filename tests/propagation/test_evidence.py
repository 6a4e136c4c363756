from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.propagation.evidence import observe, observed, photometric_difference, reliability
from seglift.propagation.state import keyframe_state


def mean_of_25(values: np.ndarray) -> np.ndarray:
    """Mean over 5 x 5, the frame continued by mirroring at its outermost pixels."""
    padded = np.pad(values.astype(np.float64), 2, mode="reflect")
    height, width = values.shape
    return np.mean([padded[y : y + height, x : x + width] for y in range(5) for x in range(5)], axis=0)


def test_difference_is_the_largest_channels_mean_over_5_by_5(make_origin):
    first, second = make_origin(seed=1).image, make_origin(seed=2).image
    distance = np.abs(first[0].numpy().astype(int) - second[0].numpy().astype(int)).max(0)
    got = photometric_difference(first, second)
    assert got.dtype == torch.uint8
    assert got.shape == (1, 12, 16)
    assert np.abs(got[0].numpy() - mean_of_25(distance)).max() <= 0.501
    assert torch.equal(got, photometric_difference(second, first))


def test_difference_of_a_batch_is_that_of_its_images(make_origin):
    first, second = (torch.cat([make_origin(seed=seed).image for seed in pair]) for pair in ((1, 2), (3, 4)))
    together = photometric_difference(first, second)
    for item in range(2):
        alone = photometric_difference(first[item : item + 1], second[item : item + 1])
        assert torch.equal(together[item], alone[0])


def test_one_channel_alone_is_enough():
    first = torch.zeros(1, 3, 9, 9, dtype=torch.uint8)
    for channel in range(3):
        second = first.clone()
        second[:, channel] = 200
        assert (photometric_difference(first, second) == 200).all()


def test_the_keyframe_is_compared_where_its_pixels_went(make_origin):
    origin = make_origin()
    state = keyframe_state(origin)
    assert not observe(state, origin.image).photometric.any()
    state.trace[:, 0] += 3.0
    shifted = origin.image[..., (np.arange(16) + 3).clip(max=15)]
    assert not observe(state, shifted).photometric.any()
    assert (observe(state, origin.image).photometric > 20).all()
    assert state.photometric is None


def test_reliability_by_hand(make_origin):
    state = keyframe_state(make_origin(1, 3))
    state.trace[0, 2, 0] = torch.tensor([0.5, 3.5, 0.5])
    state = replace(state, photometric=torch.tensor([[[0, 0, 16]]], dtype=torch.uint8))
    assert reliability(state)[0, 0].tolist() == pytest.approx([1 / 4, 1 / 8, 1 / 20])
    assert torch.equal(state.error[0, 0], torch.tensor([0.5, 3.5, 0.5]))  # left as it was


def test_what_nobody_observed_has_no_evidence(make_origin):
    state = keyframe_state(make_origin())
    for ask in (observed, reliability):
        with pytest.raises(ValueError, match="not observed"):
            ask(state)
