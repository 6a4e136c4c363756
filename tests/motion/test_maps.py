from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from seglift.motion import maps
from seglift.motion.maps import (
    compose,
    compose_outside,
    identity_map,
    map_from_flow,
    nearest_indices,
    outside,
    sample_bilinear,
    sample_nearest,
)

COORDINATES = (
    st.integers(-40, 60).map(lambda number: number / 2)  # ties, inside and outside
    | st.floats(-30, 30, width=32)
    | st.sampled_from([-1e9, -0.0, 1e9, float(np.nextafter(np.float32(0.5), np.float32(0)))])
)


def wild_map(height: int, width: int, batch: int = 1, size: tuple[int, int] = (33, 21), seed: int = 0) -> Tensor:
    """Coordinates all over a source of ``height`` x ``width`` and around it."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(batch, 2, *size, generator=generator)
    return places * torch.tensor([width + 8.0, height + 8.0]).view(1, 2, 1, 1) - 4.0


def bilinear_reference(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values ``[C, H, W]`` at place ``[2, h, w]``, in float64, clamped to the border."""
    height, width = values.shape[1:]
    x, y = np.clip(place[0], 0, width - 1, dtype=np.float64), np.clip(place[1], 0, height - 1, dtype=np.float64)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = x - left, y - top
    above = values[:, top, left] * (1 - x) + values[:, top, right] * x
    below = values[:, bottom, left] * (1 - x) + values[:, bottom, right] * x
    return above * (1 - y) + below * y


def nearest_reference(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values ``[H, W]`` at place ``[2, h, w]``: ``floor(coordinate + 0.5)`` in float32, clamped to the border."""
    columns, rows = np.floor(place.astype(np.float32) + np.float32(0.5))
    rows, columns = np.clip(rows, 0, values.shape[0] - 1), np.clip(columns, 0, values.shape[1] - 1)
    return values[rows.astype(int), columns.astype(int)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("height", "width"), [(64, 80), (7, 9), (1, 5), (5, 1), (1, 1)])
def test_bilinear_is_the_reference(place, channels: int, height: int, width: int):
    values = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(channels))
    where = wild_map(height, width, batch=2)
    sampled = sample_bilinear(place(values), place(where)).cpu().as_subclass(Tensor)
    assert sampled.shape == (2, channels, 33, 21)
    for item in range(2):
        expected = bilinear_reference(values[item].double().numpy(), where[item].numpy())
        # OpenCV's steps of 1/32 pixel would be off by up to 1/64.
        np.testing.assert_allclose(sampled[item].numpy(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_wide_frames_keep_the_stated_accuracy(place, channels: int):
    values = torch.rand(1, channels, 2, 4096, generator=torch.Generator().manual_seed(0))
    where = wild_map(2, 4096)
    sampled = sample_bilinear(place(values), place(where)).cpu().as_subclass(Tensor)
    expected = bilinear_reference(values[0].double().numpy(), where[0].numpy())
    np.testing.assert_allclose(sampled[0].numpy(), expected, atol=1e-3, rtol=0)


def test_bilinear_does_not_depend_on_the_memory_layout():
    values = torch.rand(1, 4, 20, 30)
    where = wild_map(20, 30)
    interleaved = values.contiguous(memory_format=torch.channels_last)
    sliced = torch.rand(1, 6, 20, 60)
    sliced[:, 1:5, :, ::2] = values
    expected = sample_bilinear(values, where)
    assert torch.equal(sample_bilinear(interleaved, where.contiguous(memory_format=torch.channels_last)), expected)
    assert torch.equal(sample_bilinear(sliced[:, 1:5, :, ::2], where), expected)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=hnp.arrays(np.float32, (2, 3, 4), elements=COORDINATES),
    size=st.tuples(st.integers(1, 12), st.integers(1, 15)),
    dtype=st.sampled_from([torch.uint8, torch.int16, torch.int64, torch.int32, torch.float32]),
)
def test_nearest_is_floor_of_half_more(place, where: np.ndarray, size: tuple[int, int], dtype: torch.dtype):
    values = torch.arange(size[0] * size[1]).reshape(size)  # every pixel its own id
    sampled = sample_nearest(place(values[None].to(dtype)), place(torch.from_numpy(where)[None]))
    assert sampled.dtype == dtype
    assert np.array_equal(sampled[0].cpu().numpy(), nearest_reference(values.numpy(), where))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_nearest_of_a_batch_and_of_a_view(dtype: torch.dtype):
    values = torch.randint(0, 255, (3, 40, 50), generator=torch.Generator().manual_seed(0)).to(dtype)
    where = wild_map(20, 25, batch=3)
    sampled = sample_nearest(values[:, ::2, ::2], where)
    for item in range(3):
        expected = nearest_reference(values[item, ::2, ::2].numpy(), where[item].numpy())
        assert np.array_equal(sampled[item].numpy(), expected)


def test_nearest_takes_frames_too_wide_for_short_integers():
    values = torch.randint(0, 255, (1, 1, 40_000), dtype=torch.uint8)
    where = torch.tensor([33_000.4, 39_999.0, 39_999.6, -7.0]).view(1, 1, 1, 4)
    where = torch.cat((where, torch.zeros_like(where)), 1)
    assert sample_nearest(values, where).flatten().tolist() == values[0, 0, [33_000, 39_999, 39_999, 0]].tolist()


def test_nearest_indices_of_ties_and_of_places_outside():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 9.0])
    rows, columns = nearest_indices(torch.stack((x, x - 1.0)).view(1, 2, 1, -1), height=3, width=4)
    assert columns.flatten().tolist() == [0, 0, 1, 2, 3, 2, 3]
    assert rows.flatten().tolist() == [0, 0, 0, 1, 2, 1, 2]


def test_the_identity_is_shared_and_never_a_tensor_for_inference_only():
    maps._identity.cache_clear()
    with torch.inference_mode():
        identity = identity_map(3, 5)
    assert identity_map(3, 5) is identity
    assert identity[0, :, 2, 4].tolist() == [4.0, 2.0]
    weight = torch.ones(1, requires_grad=True)
    (identity * weight).sum().backward()
    assert weight.grad is not None
    assert float(weight.grad) == 5 * (0 + 1 + 2) + 3 * (0 + 1 + 2 + 3 + 4)


def test_a_map_is_identity_and_flow(constant_flow):
    flow = constant_flow(1.5, -2.0, 4, 6)
    sampling_map = map_from_flow(flow)
    for y in range(4):
        for x in range(6):
            assert sampling_map[0, :, y, x].tolist() == [x + 1.5, y - 2.0]
    assert flow.unique().tolist() == [-2.0, 1.5]
    assert identity_map(4, 6)[0, :, 3, 5].tolist() == [5.0, 3.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_flow_that_is_no_number(bad: float):
    flow = torch.zeros(1, 2, 4, 6)
    flow[0, 1, 2, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        map_from_flow(flow)


def test_opposite_infinities_do_not_cancel_and_large_numbers_are_numbers():
    flow = torch.zeros(1, 2, 4, 6)
    flow[0, 0, 0, 0], flow[0, 0, 0, 1] = float("inf"), -float("inf")
    with pytest.raises(ValueError, match="NaN or infinite"):
        map_from_flow(flow)
    flow = torch.full((1, 2, 4, 6), 3e38)  # their sum is not finite
    assert map_from_flow(flow).isfinite().all()


@pytest.mark.parametrize("shape", [(2, 4, 6), (1, 3, 4, 6), (1, 4, 6, 2), (1, 1, 2, 4, 6)])
def test_a_flow_of_another_shape(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"expected \[B, 2, H, W\]"):
        map_from_flow(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 2, 4, 6), (1, 3, 4, 6), (2, 4, 6)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_map_of_another_shape_or_batch_size(place, shape: tuple[int, ...], dtype: torch.dtype):
    with pytest.raises(ValueError, match=r"expected \[1, 2, h, w\]"):
        sample_bilinear(place(torch.zeros(1, 3, 4, 6)), place(torch.zeros(shape)))
    with pytest.raises(ValueError, match=r"expected \[1, 2, h, w\]"):
        sample_nearest(place(torch.zeros(1, 4, 6, dtype=dtype)), place(torch.zeros(shape)))


def test_outside_begins_half_a_pixel_beyond_the_last_centre():
    below = float(np.nextafter(np.float32(5.5), np.float32(0)))
    x = torch.tensor([-0.5, -0.50001, below, 5.5, 0.0, 0.0, 0.0, 0.0])
    y = torch.tensor([0.0, 0.0, 0.0, 0.0, -0.5, -0.50001, 2.49999, 2.5])
    expected = [False, True, False, True, False, True, False, True]
    assert outside(torch.stack((x, y)).view(1, 2, 1, 8), height=3, width=6).flatten().tolist() == expected


@given(dx=st.integers(-30, 30), dy=st.integers(-30, 30), dx2=st.integers(-30, 30), dy2=st.integers(-30, 30))
@settings(max_examples=40)
def test_two_translations_are_their_sum(dx: int, dy: int, dx2: int, dy2: int):
    height, width = 12, 15
    motions = torch.tensor([[dx, dy], [dx2, dy2], [dx + dx2, dy + dy2]], dtype=torch.float32)
    previous, step, both = map_from_flow(motions.view(3, 2, 1, 1).expand(3, 2, height, width)).split(1)
    composed, hidden = compose(previous, step), outside(step, height, width)
    # While the second step stays in view nothing is lost, however far the first one looks outside.
    assert torch.equal(composed.permute(0, 2, 3, 1)[~hidden], both.permute(0, 2, 3, 1)[~hidden])
    ys, xs = np.mgrid[:height, :width]

    def leaves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x < 0) | (x >= width) | (y < 0) | (y >= height)

    # The first step is asked where the second one lands, or at the border when that is out of view.
    landed = np.clip(xs + dx2, 0, width - 1), np.clip(ys + dy2, 0, height - 1)
    expected = leaves(xs + dx2, ys + dy2) | leaves(landed[0] + dx, landed[1] + dy)
    carried = compose_outside(outside(previous, height, width), step)
    assert np.array_equal(carried[0].numpy(), expected)


def test_out_of_view_stays_out_of_view_after_the_way_back(constant_flow):
    away, back = map_from_flow(constant_flow(4, 0, 5, 10)), map_from_flow(constant_flow(-4, 0, 5, 10))
    gone = compose_outside(outside(away, 5, 10), back)
    # Columns 0..3 look outside on the way back; the six others look where the first step looked at 0..5: in view.
    assert gone[0].any(0).tolist() == [True] * 4 + [False] * 6
    gone = compose_outside(outside(back, 5, 10), away)
    assert gone[0].any(0).tolist() == [False] * 6 + [True] * 4


def test_affine_maps_compose_as_matrices_do(place):
    height, width = 40, 50
    identity = identity_map(height, width)
    matrices = torch.tensor([[[1.02, 0.03], [-0.02, 0.97]], [[0.9, -0.05], [0.06, 0.95]]])
    shifts = torch.tensor([[0.7, -1.3], [2.3, 1.1]]).view(2, 2, 1, 1)
    previous, step = (
        torch.einsum("ij,bjhw->bihw", matrix, identity) + shift for matrix, shift in zip(matrices, shifts, strict=True)
    )
    expected = torch.einsum("ij,bjhw->bihw", matrices[0], step) + shifts[0]
    composed = compose(place(previous), place(step)).cpu().as_subclass(Tensor)
    x, y = step[:, 0], step[:, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    assert inside.float().mean() > 0.8
    assert (composed - expected).abs().amax(1)[inside].max() < 50 * 1e-4


def test_maps_stay_interleaved_in_memory(constant_flow):
    sampling_map = map_from_flow(constant_flow(1, 2, 6, 8))
    composed = compose(sampling_map, sampling_map)
    assert identity_map(6, 8).is_contiguous(memory_format=torch.channels_last)
    assert composed.is_contiguous(memory_format=torch.channels_last) or composed.stride(1) == 1


def test_gradients_of_sampling_are_those_of_torch():
    values = torch.rand(1, 2, 6, 7, generator=torch.Generator().manual_seed(1)).requires_grad_()
    place = wild_map(6, 7, size=(4, 5)).requires_grad_()
    sample_bilinear(values, place).square().sum().backward()
    assert values.grad is not None and values.grad.any()
    assert place.grad is not None and place.grad.any()
    with torch.no_grad():
        plain = sample_bilinear(values, place)
    assert torch.allclose(sample_bilinear(values, place), plain, atol=1e-3)


def test_gradients_follow_the_slope_of_a_ramp():
    ramp = torch.arange(9.0).view(1, 1, 1, 9).expand(1, 1, 5, 9) * 3
    place = (identity_map(5, 9) + 0.25).clone().requires_grad_()
    sample_bilinear(ramp, place)[..., 1:4, 1:8].sum().backward()
    assert place.grad is not None
    assert torch.allclose(place.grad[0, 0, 1:4, 1:8], torch.tensor(3.0), atol=1e-4)
    assert torch.allclose(place.grad[0, 1], torch.tensor(0.0), atol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_gradients_where_a_coordinate_is_no_number(value: float):
    place = identity_map(5, 9).clone()
    place[0, :, 2, 3] = value
    place.requires_grad_()
    sampled = sample_bilinear(torch.rand(1, 3, 5, 9), place)
    sampled.sum().backward()
    assert torch.isfinite(sampled).all() and place.grad is not None and torch.isfinite(place.grad).all()
