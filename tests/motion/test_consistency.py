from __future__ import annotations

import math

import pytest
import torch

from seglift.motion.consistency import forward_backward_error, occluded, photometric_error
from seglift.motion.maps import identity_map, map_from_flow


def test_the_way_back_leads_home(constant_flow):
    error = forward_backward_error(constant_flow(3.25, -2.5), constant_flow(-3.25, 2.5))
    assert error.shape == (1, 64, 80)
    assert torch.equal(error, torch.zeros(1, 64, 80))


def test_a_constant_miss_is_its_length(constant_flow):
    error = forward_backward_error(constant_flow(5.0, 1.0), constant_flow(-2.0, 3.0))
    assert torch.equal(error, torch.full((1, 64, 80), 5.0))  # (3, 4)


def test_the_opposite_flow_is_read_where_the_flow_leads_and_at_the_border_beyond():
    flow = torch.zeros(1, 2, 3, 6)
    flow[:, 0] = 2.0
    opposite = torch.zeros(1, 2, 3, 6)
    opposite[:, 0] = -torch.arange(6.0)  # at column x: -x
    error = forward_backward_error(flow, opposite)
    assert error[0, 1].tolist() == [abs(2.0 - min(x + 2, 5)) for x in range(6)]
    difference = forward_backward_error(opposite, flow)
    assert difference[0, 1].tolist() == [abs(2.0 - x) for x in range(6)]


def test_inputs_are_left_alone(constant_flow):
    flow, opposite = constant_flow(1, 2), constant_flow(3, 4)
    forward_backward_error(flow, opposite)
    occluded(flow, opposite)
    assert torch.equal(flow, constant_flow(1, 2))
    assert torch.equal(opposite, constant_flow(3, 4))


@pytest.mark.parametrize("size", [(64, 80), (63, 81)])
@pytest.mark.parametrize("stride", [2, 3])
def test_every_second_pixel_says_the_same_where_the_error_is_smooth(constant_flow, size: tuple[int, int], stride: int):
    error = forward_backward_error(constant_flow(5.0, 1.0, *size), constant_flow(-2.0, 3.0, *size), stride)
    assert error.shape == (1, *size)
    assert torch.allclose(error, torch.tensor(5.0))
    slope = torch.zeros(1, 2, *size)
    slope[:, 0] = 0.1 * identity_map(*size)[:, 0]
    zero = torch.zeros_like(slope)
    exact, sparse = forward_backward_error(slope, zero), forward_backward_error(slope, zero, stride)
    assert (exact - sparse).abs().max() <= 0.1 * stride  # within the pixels left out


@pytest.mark.parametrize(
    ("dx", "back", "expected"),
    [
        (0.0, 0.0, False),
        (0.0, 0.70, False),  # 0.49 against 0.5049
        (0.0, 0.72, True),  # 0.5184 against 0.505184
        (10.0, -8.9, False),  # 1.21 against 0.01 * 179.21 + 0.5 = 2.2921
        (10.0, -8.4, True),  # 2.56 against 0.01 * 170.56 + 0.5 = 2.2056
        (10.0, 10.0, True),
    ],
)
def test_occlusion_by_the_published_criterion(constant_flow, dx: float, back: float, expected: bool):
    result = occluded(constant_flow(dx, 0.0), constant_flow(back, 0.0))
    assert result.dtype == torch.bool
    assert result[0, 30, 20].item() is expected
    assert result[0, 0, 0].item() is expected


def test_what_leaves_the_frame_is_occluded_though_consistent(constant_flow):
    result = occluded(constant_flow(10.0, -3.0), constant_flow(-10.0, 3.0))
    expected = torch.zeros(1, 64, 80, dtype=torch.bool)
    expected[:, :, 70:] = True
    expected[:, :3] = True
    assert torch.equal(result, expected)


def test_a_square_that_moves_hides_what_lies_before_it_and_uncovers_what_lay_behind():
    # The square is at columns 10..19 in frame a and at 14..23 in frame b; the ground rests.
    on_a, on_b = torch.zeros(1, 2, 30, 40), torch.zeros(1, 2, 30, 40)
    on_a[:, 0, 8:16, 10:20], on_b[:, 0, 8:16, 14:24] = 4.0, -4.0
    expected = torch.zeros(1, 30, 40, dtype=torch.bool)
    expected[:, 8:16, 20:24] = True  # ground of frame a that the square covers in frame b
    assert torch.equal(occluded(on_a, on_b), expected)
    expected.zero_()[:, 8:16, 10:14] = True  # ground of frame b that frame a does not show
    assert torch.equal(occluded(on_b, on_a), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_photometric_error_is_a_length_in_bytes(dtype: torch.dtype):
    target = torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
    source = torch.zeros_like(target)
    source[0, :, 1, 2] = torch.tensor([2, 3, 6])
    source[0, :, 0, 0] = 255
    if dtype == torch.float32:
        target, source = target / 255.0, source / 255.0
    error = photometric_error(target, source, identity_map(4, 5))
    assert error.dtype == torch.float32
    assert error[0, 1, 2].item() == pytest.approx(7.0, rel=1e-5)
    assert error[0, 0, 0].item() == pytest.approx(255 * math.sqrt(3), rel=1e-5)
    error[0, 1, 2] = error[0, 0, 0] = 0
    assert error.max() == 0


def test_bytes_do_not_wrap_around(constant_flow):
    dark, bright = torch.zeros(1, 3, 64, 80, dtype=torch.uint8), torch.full((1, 3, 64, 80), 200, dtype=torch.uint8)
    still = map_from_flow(constant_flow(0, 0))
    assert torch.equal(photometric_error(dark, bright, still), photometric_error(bright, dark, still))


def test_photometric_error_after_the_right_motion_is_none(texture, shifted, as_batch, constant_flow):
    source = as_batch(texture())
    target = as_batch(shifted(texture(), 3, -2))
    assert photometric_error(target, source, map_from_flow(constant_flow(3, -2))).max() == 0
    assert photometric_error(target, source, map_from_flow(constant_flow(-3, 2))).mean() > 20
