from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seglift.training.images.sample import Sample, shrink
from seglift.training.images.sample_cache import SampleCache

SMALL = 16 * 24 * (3 + 1 + 4)
"""Bytes of a sample at a short side of 16."""


class Counted(Sequence[Sample]):
    """Four samples; knows how often each was fetched."""

    def __init__(self) -> None:
        self.fetched = [0] * 4

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number):
        self.fetched[number] += 1
        generator = np.random.default_rng(number)
        image = generator.integers(0, 256, (32, 48, 3)).astype(np.uint8)
        return Sample(image, image[..., 0] % 5, generator.random((32, 48), np.float32))


@pytest.mark.parametrize("short_side", [16, None])
@pytest.mark.parametrize("limit", [0, SMALL - 1, SMALL, 3 * SMALL, 10**9])
def test_what_is_kept_is_what_would_be_fetched(short_side, limit):
    cache, plain = SampleCache(Counted(), short_side, limit), Counted()
    for number in np.random.default_rng(0).integers(0, 4, 40).tolist():
        assert cache[number].fingerprint() == shrink(plain[number], short_side).fingerprint()


def test_the_bytes_that_are_kept_are_bounded_and_the_oldest_go_first():
    samples = Counted()
    cache = SampleCache(samples, 16, 2 * SMALL)
    for number in (0, 1, 0, 2, 0):  # 2 drives out 1, which was used before 0
        cache[number]
    assert samples.fetched == [1, 1, 1, 0]
    cache[1]
    assert samples.fetched == [1, 2, 1, 0]
    cache[0], cache[1]
    assert samples.fetched == [1, 2, 1, 0]


def test_all_that_fits_is_fetched_once():
    samples = Counted()
    cache = SampleCache(samples, 16)
    for _ in range(3):
        for number in range(4):
            cache[number]
    assert samples.fetched == [1, 1, 1, 1]


def test_loading_processes_share_the_limit():
    samples = Counted()
    cache = SampleCache(samples, 16, 6 * SMALL, processes=3)
    for number in (0, 1, 0, 1, 2, 0):
        cache[number]
    assert samples.fetched == [2, 1, 1, 0]


def test_what_does_not_fit_is_never_kept():
    samples = Counted()
    cache = SampleCache(samples, 16, SMALL - 1)
    cache[0], cache[0]
    assert samples.fetched[0] == 2
