from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seglift.inference.sliding_window import sliding_logits, tile_size, tile_starts


@given(st.integers(1, 500), st.integers(1, 200), st.floats(0, 0.9))
def test_tiles_cover_every_pixel_and_overlap_enough(length: int, tile: int, overlap: float) -> None:
    starts = tile_starts(length, tile, overlap)
    if tile >= length:
        assert starts == [0]
        return
    assert starts[0] == 0
    assert starts[-1] == length - tile
    stride = max(1, int(tile * (1 - overlap)))
    steps = [b - a for a, b in itertools.pairwise(starts)]
    assert all(0 < step <= stride for step in steps)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(256, 1 << 20))
def test_tiles_are_within_the_bound_and_the_image(height: int, width: int, bound: int) -> None:
    tile = tile_size(height, width, None, bound)
    assert tile[0] * tile[1] <= bound
    assert tile[0] <= height
    assert tile[1] <= width
    assert (tile == (height, width)) == (height * width <= bound)


def test_tiled_equals_whole_for_a_pointwise_network() -> None:
    images = torch.rand(2, 3, 37, 53, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(5, 3, 1, 1, generator=torch.Generator().manual_seed(1))

    def pointwise(x: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(x, weight)

    tiled = sliding_logits(pointwise, images, (16, 20), 0.3)
    assert torch.allclose(tiled, pointwise(images), atol=1e-6)


def test_no_tile_is_larger_than_asked_for_and_pixels_seen_twice_are_averaged() -> None:
    seen: list[tuple[int, int]] = []

    def number(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape[-2:]))
        return torch.full((1, 1, *x.shape[-2:]), float(len(seen)))

    result = sliding_logits(number, torch.zeros(1, 3, 4, 6), (4, 4), 0.5)
    assert seen == [(4, 4), (4, 4)]
    assert result[0, 0, 0].tolist() == [1.0, 1.0, 1.5, 1.5, 2.0, 2.0]
