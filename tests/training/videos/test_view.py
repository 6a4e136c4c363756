from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from seglift.motion.dis import DisFlow
from seglift.motion.maps import identity_map
from seglift.training.videos.view import Place, ViewConfig, random_place, video_view, warp_from

FLOW = DisFlow("fine")


def texture(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0).astype(np.float32)
    return np.clip((smooth - 128) * 4 + 128, 0, 255).astype(np.uint8)


def moving(height=96, width=120, step=(3, 1)):
    """Three frames of a texture that moves ``step`` pixels (x, y) to the right and down."""
    large = texture(height + 64, width + 64)
    starts = [(32 - n * step[1], 32 - n * step[0]) for n in range(3)]
    return [np.ascontiguousarray(large[y : y + height, x : x + width]) for y, x in starts]


class Told:
    """A flow estimator that gives zeros and remembers what it was shown."""

    def __init__(self):
        self.pairs = []

    def __call__(self, source, target, previous=None):
        self.pairs.append((source.clone(), target.clone()))
        return torch.zeros(1, 2, *source.shape[2:])


def as_bytes(image):
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def test_a_view_is_the_crop_of_every_frame():
    frames = moving()
    view = video_view(frames, Place(10, 20), ViewConfig((32, 48), 8, 3), FLOW)
    for frame, image in zip(frames, view.images, strict=True):
        assert (as_bytes(image) == frame[10:42, 20:68]).all()
    assert (as_bytes(view.source) == frames[1][2:50, 12:76]).all()
    assert view.flows.shape == (2, 2, 32, 48)
    assert view.mask.shape == (1, 32, 48)
    assert view.mask.min() == 1


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_flows_carry_each_image_to_the_next(reverse, mirror):
    view = video_view(moving(), Place(20, 30, reverse, mirror), ViewConfig((48, 64), 24, 3), FLOW)
    sign = -1 if reverse else 1
    expected = torch.tensor([-3.0 * sign * (-1 if mirror else 1), -1.0 * sign])
    for flow in view.flows:
        assert torch.allclose(flow.mean((1, 2)), expected, atol=0.15)
        assert (flow - expected[:, None, None]).abs().mean() < 0.2
    made = warp_from(view.source[None], view.flows[1][None], 24)[0]
    assert (made - view.images[2]).abs().mean() < 0.01
    assert (view.images[1] - view.images[2]).abs().mean() > 0.05


def test_time_is_reversed_before_flows_are_estimated():
    frames, told = moving(), Told()
    video_view(frames, Place(0, 0, reverse=True), ViewConfig((96, 120), 0, 3), told)
    shown = [[as_bytes(image[0]) for image in pair] for pair in told.pairs]
    assert (shown[0][0] == frames[2]).all()
    assert (shown[0][1] == frames[1]).all()
    assert (shown[1][0] == frames[1]).all()
    assert (shown[1][1] == frames[0]).all()


def test_images_are_mirrored_before_flows_are_estimated():
    frames, told = moving(), Told()
    view = video_view(frames, Place(4, 6, mirror=True), ViewConfig((32, 48), 8, 2), told)
    assert (as_bytes(view.images[0]) == frames[0][4:36, 6:54][:, ::-1]).all()
    assert (as_bytes(told.pairs[0][0][0]) == frames[0][0:44, 0:62][:, ::-1]).all()


def test_the_network_for_prediction_is_given_no_flow_onto_the_last_frame():
    told = Told()
    view = video_view(moving(), Place(), ViewConfig((32, 32), 8, 2), told)
    assert len(told.pairs) == 1
    assert view.flows.shape[0] == 1
    assert view.images.shape[0] == 3


@pytest.mark.parametrize("place", [Place(0, 0), Place(64, 72), Place(64, 72, mirror=True), Place(30, 0, reverse=True)])
def test_flow_near_the_edge_of_a_crop_is_that_of_the_frame(place):
    frames = moving()
    config = ViewConfig((32, 48), 32, 3)
    view = video_view(frames, place, config, FLOW)
    whole = video_view(frames, Place(0, 0, place.reverse, place.mirror), ViewConfig((96, 120), 0, 3), FLOW)
    left = 120 - 48 - place.left if place.mirror else place.left
    expected = whole.flows[..., place.top : place.top + 32, left : left + 48]
    assert (view.flows - expected).abs().mean() < 0.1


def test_beyond_the_frame_the_border_is_repeated():
    frames = moving()
    view = video_view(frames, Place(0, 72), ViewConfig((32, 48), 16, 3), FLOW)
    padded = cv2.copyMakeBorder(frames[1], 16, 0, 0, 16, cv2.BORDER_REPLICATE)
    assert (as_bytes(view.source) == padded[0:64, 56:136]).all()


@pytest.mark.parametrize("mirror", [False, True])
def test_a_frame_smaller_than_the_crop_is_padded_and_the_rest_does_not_count(mirror):
    frames = moving(40, 50)
    view = video_view(frames, Place(0, 0, mirror=mirror), ViewConfig((64, 64), 8, 3), FLOW)
    shown = as_bytes(view.images[0])
    expected = frames[0][:, ::-1] if mirror else frames[0]
    assert (shown[:40, :50] == expected).all()
    assert (shown[40] == shown[38]).all()
    assert (shown[:, 50] == shown[:, 48]).all()
    assert view.mask[0, :40, :50].min() == 1
    assert view.mask.sum() == 40 * 50
    assert view.source.shape == (3, 80, 80)


def test_what_the_middle_frame_does_not_show_is_left_out():
    """A square that moves 6 pixels to the right uncovers a strip on its left."""
    ground, square = texture(96, 128), texture(32, 32, 1)
    frames = []
    for n in range(3):
        frame = ground.copy()
        frame[32:64, 40 + 6 * n : 72 + 6 * n] = square
        frames.append(frame)
    view = video_view(frames, Place(), ViewConfig((96, 128), 0, 3, "visible"), FLOW)
    counted = view.mask[0, 36:60]
    assert counted[:, 47:51].mean() < 0.4  # x 46..52 was behind the square
    assert counted[:, 60:76].mean() > 0.9
    assert view.mask[0, :24].mean() > 0.97
    assert video_view(frames, Place(), ViewConfig((96, 128), 0, 3), FLOW).mask.min() == 1


def test_what_comes_into_view_is_left_out_for_prediction_too():
    view = video_view(moving(step=(8, 0)), Place(), ViewConfig((96, 120), 0, 2, "visible"), FLOW)
    assert view.mask[0, :, :5].mean() < 0.2
    assert view.mask[0, 10:-10, 20:-10].mean() > 0.9


def test_colors_change_alike_in_all_frames():
    frames = moving()
    plain = video_view(frames, Place(), ViewConfig((32, 32), 0, 3), Told())
    brighter = video_view(frames, Place(colors=(1.1, 1.0, 1.0)), ViewConfig((32, 32), 0, 3), Told())
    assert torch.allclose(brighter.images, (plain.images * 1.1).clamp(0, 1), atol=1e-5)


def test_warping_from_the_margin_is_warping_the_whole_frame():
    source = torch.rand(2, 3, 24, 30, generator=torch.Generator().manual_seed(0))
    motion = 6 * torch.rand(2, 2, 8, 14, generator=torch.Generator().manual_seed(1)) - 3
    made = warp_from(source, motion, 8)
    grid = identity_map(8, 14) + motion + 8
    x, y = grid[0, :, 3, 5].tolist()
    x0, y0 = int(x), int(y)
    corner = source[0, :, y0 : y0 + 2, x0 : x0 + 2]
    weights = torch.tensor(
        [[(1 - (y - y0)) * (1 - (x - x0)), (1 - (y - y0)) * (x - x0)], [(y - y0) * (1 - (x - x0)), (y - y0) * (x - x0)]]
    )
    assert torch.allclose(made[0, :, 3, 5], (corner * weights).sum((1, 2)), atol=1e-4)


def test_warping_has_gradients_with_respect_to_the_motion():
    source = torch.rand(1, 3, 12, 12, dtype=torch.float32)
    motion = torch.zeros(1, 2, 8, 8, requires_grad=True)
    warp_from(source, motion, 2).sum().backward()
    assert motion.grad.abs().sum() > 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_motion_that_leads_nowhere_breaks_nothing(value):
    source, motion = torch.rand(1, 3, 12, 12), torch.full((1, 2, 8, 8), value, requires_grad=True)
    made = warp_from(source, motion, 2)
    made.sum().backward()
    corner = source[..., 11, 11] if value > 0 else source[..., 0, 0]
    assert torch.equal(made, corner[..., None, None].expand(1, 3, 8, 8))
    assert (motion.grad == 0).all()


def test_places_are_drawn_over_all_the_frame():
    generator = np.random.default_rng(0)
    places = [random_place((40, 60), (32, 48), generator, reversal=0.5) for _ in range(400)]
    assert {place.top for place in places} == set(range(9))
    assert {place.left for place in places} == set(range(13))
    assert 150 < sum(place.reverse for place in places) < 250
    assert not any(place.mirror for place in places)
    assert all(place.colors == (1.0, 1.0, 1.0) for place in places)
    small = random_place((20, 60), (32, 48), generator, reversal=1.0, flip=1.0, jitter=0.2)
    assert small.top == 0
    assert small.reverse
    assert small.mirror
    assert all(0.8 <= factor <= 1.2 for factor in small.colors)
