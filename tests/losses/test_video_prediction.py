from __future__ import annotations

import math

import pytest
import torch

from seglift.base.errors import UserError
from seglift.losses.video_prediction import (
    VideoLossConfig,
    VideoPredictionLoss,
    color_loss,
    gradient_loss,
    smoothness_loss,
)


def images(batch=2, height=6, width=7, dtype=torch.float32):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0)).to(dtype)


def test_equal_images_cost_nothing():
    image = images()
    assert color_loss(image, image) == 0
    assert gradient_loss(image, image) == 0


def test_color_is_the_mean_absolute_difference():
    image = torch.full((1, 3, 4, 5), 0.25)
    assert color_loss(image, image + 0.5).item() == pytest.approx(0.5)
    one = image.clone()
    one[0, 0, 0, 0] = 1.0
    assert color_loss(one, image).item() == pytest.approx(0.75 / 60)


def test_a_constant_shift_of_colors_has_no_gradient_loss():
    image = images() / 2
    assert gradient_loss(image, image + 0.25).item() == pytest.approx(0, abs=1e-4)


def test_gradient_is_the_sum_of_both_directions_in_255_units():
    flat, ramp = torch.zeros(1, 3, 4, 6), (torch.arange(6.0) / 255).expand(1, 3, 4, 6)
    assert gradient_loss(ramp, flat).item() == pytest.approx(1.0)
    assert gradient_loss(ramp, flat, scale=1.0).item() == pytest.approx(1 / 255)
    both = ramp + 2 * torch.arange(4.0)[:, None] / 255
    assert gradient_loss(both, flat).item() == pytest.approx(3.0)


def test_gradients_of_opposite_sign_are_alike():
    """As released: the absolute differences are compared."""
    ramp = torch.arange(6.0).expand(1, 3, 4, 6) / 10
    assert gradient_loss(ramp, ramp.flip(-1)).item() == pytest.approx(0, abs=1e-4)


def test_constant_motion_is_smooth():
    motion = torch.tensor([3.0, -7.0]).view(1, 2, 1, 1).expand(1, 2, 5, 6)
    assert smoothness_loss(motion) == 0


def test_smoothness_is_measured_in_pixels_along_both_axes():
    motion = torch.zeros(1, 2, 4, 5)
    motion[:, 0] = 2.0 * torch.arange(5.0)
    assert smoothness_loss(motion).item() == pytest.approx(1.0)  # 2 in one of two components
    motion[:, 1] = 6.0 * torch.arange(4.0)[:, None]
    assert smoothness_loss(motion).item() == pytest.approx(4.0)


def test_pixels_outside_the_mask_do_not_matter():
    image, other = images(), images()
    mask = torch.zeros(2, 1, 6, 7)
    mask[..., 1:4, 2:6] = 1
    other = torch.where(mask.bool(), other, 1 - other)
    assert color_loss(other, image, mask) == 0
    assert gradient_loss(other, image, mask) == 0
    assert color_loss(1 - other, image, torch.zeros_like(mask)) == 0


def test_a_mask_of_ones_is_no_mask():
    image, other, ones = images(), images().flip(0), torch.ones(2, 1, 6, 7)
    assert color_loss(image, other, ones) == pytest.approx(color_loss(image, other).item())
    assert gradient_loss(image, other, ones) == pytest.approx(gradient_loss(image, other).item())


@pytest.mark.parametrize("masked", [False, True])
def test_the_whole_is_the_weighted_sum(masked):
    image, other, motion = images(), images().flip(3), 3 * images()[:, :2]
    mask = torch.ones(2, 1, 6, 7)
    if masked:
        mask[0, :, :3] = 0
    criterion = VideoPredictionLoss(VideoLossConfig())
    expected = 0.7 * color_loss(image, other, mask) + 0.2 * gradient_loss(image, other, mask)
    expected = expected + 0.1 * smoothness_loss(motion)
    assert criterion(image, other, motion, mask, criterion.counts(mask)).item() == pytest.approx(expected.item())


def test_parts_of_a_batch_add_up_to_the_whole():
    image, other, motion = images(4), images(4).flip(0), images(4)[:, :2]
    mask = (images(4)[:, :1] > 0.4).float()
    criterion = VideoPredictionLoss(VideoLossConfig())
    counts = criterion.counts(mask)
    parts = [slice(0, 1), slice(1, 4)]
    assert torch.equal(sum(criterion.counts(mask[part]) for part in parts), counts)
    shares = [criterion(image[part], other[part], motion[part], mask[part], counts) for part in parts]
    assert sum(shares).item() == pytest.approx(criterion(image, other, motion, mask, counts).item(), rel=1e-5)


def test_gradients_are_those_of_differences():
    image, other = images(1, 4, 5, torch.float64), images(1, 4, 5, torch.float64).flip(3) + 0.013
    motion = 4 * images(1, 4, 5, torch.float64)[:, :2] ** 2
    mask = torch.ones(1, 1, 4, 5, dtype=torch.float64)
    mask[..., 0, :2] = 0
    criterion = VideoPredictionLoss(VideoLossConfig(grad_scale=1.0))
    inputs = (image.requires_grad_(), motion.requires_grad_())
    assert torch.autograd.gradcheck(lambda i, m: criterion(i, other, m, mask, criterion.counts(mask)), inputs)


def test_motion_that_is_no_number_makes_a_loss_that_is_none():
    image, mask = images(), torch.ones(2, 1, 6, 7)
    criterion = VideoPredictionLoss(VideoLossConfig(smoothness=0.0))
    motion = torch.full((2, 2, 6, 7), math.nan)
    assert not torch.isfinite(criterion(image, image, motion, mask, criterion.counts(mask)))


@pytest.mark.parametrize(
    "values",
    [{"color": -1.0}, {"grad_scale": 0.0}, {"style": math.inf}, {"color": 0.0, "gradient": 0.0}],
    ids=str,
)
def test_impossible_weights_are_the_users_error(values):
    with pytest.raises(UserError, match="loss"):
        VideoLossConfig(**values)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one size"):
        color_loss(images(), images(1))
    with pytest.raises(ValueError, match="mask"):
        gradient_loss(images(), images(), torch.ones(2, 6, 7))
    with pytest.raises(ValueError, match="motion"):
        smoothness_loss(images())
