from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seglift.motion.maps import identity_map, map_from_flow
from seglift.motion.warp import warp_image, warp_labels


def smooth_flow(height: int = 24, width: int = 30, seed: int = 0) -> Tensor:
    coarse = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(seed)) * 3.0
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_no_motion_changes_nothing(place, dtype: torch.dtype, channels: int):
    image = (torch.rand(2, channels, 20, 33) * 255).to(dtype)
    still = map_from_flow(torch.zeros(2, 2, 20, 33))
    warped = warp_image(place(image), place(still)).cpu().as_subclass(Tensor)
    assert warped.dtype == dtype
    # grid_sample goes through normalised coordinates and back.
    assert (warped.float() - image.float()).abs().max() <= (0.0 if dtype == torch.uint8 else 255 * 1e-4)
    labels = image[:, 0].to(torch.uint8)
    assert torch.equal(warp_labels(place(labels), place(still)).cpu().as_subclass(Tensor), labels)


def test_no_motion_on_the_cpu_is_exact():
    image = torch.rand(1, 5, 20, 33)
    assert torch.equal(warp_image(image, identity_map(20, 33)), image)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dx=st.integers(-90, 90), dy=st.integers(-70, 70))
def test_whole_pixels_are_exact(place, texture, constant_flow, shifted, as_batch, dx: int, dy: int):
    image = texture()
    where = place(map_from_flow(constant_flow(dx, dy)))
    expected = as_batch(shifted(image, dx, dy))
    assert torch.equal(warp_image(place(as_batch(image)), where).cpu().as_subclass(Tensor), expected)
    warped = warp_image(place(as_batch(image) / 255.0), where).cpu().as_subclass(Tensor)
    assert (warped - expected / 255.0).abs().max() <= 1e-4
    labels = place(torch.from_numpy(image[None, :, :, 0]))
    assert torch.equal(warp_labels(labels, where).cpu().as_subclass(Tensor), expected[:, 0])
    assert torch.equal(warp_labels(labels.to(torch.int64), where).cpu().as_subclass(Tensor), expected[:, 0].long())


def test_bytes_are_rounded_not_cut_off(place, texture, as_batch):
    image = as_batch(texture(24, 30, smooth=0.8))
    where = map_from_flow(smooth_flow())
    exact = warp_image(image.float(), where)
    warped = warp_image(place(image), place(where)).cpu().as_subclass(Tensor)
    assert warped.dtype == torch.uint8
    assert (warped.float() - exact).abs().max() <= 0.5 + 255 * 1e-4
    assert (warped.float() - exact).mean().abs() < 0.02  # cutting off would be 0.5 too dark


def test_half_a_pixel_is_the_mean_of_neighbours(place):
    image = torch.tensor([[0.0, 1.0, 0.25]]).view(1, 1, 1, 3).repeat(1, 3, 2, 1)
    where = map_from_flow(torch.tensor([0.5, 0.5]).view(1, 2, 1, 1).expand(1, 2, 2, 3))
    warped = warp_image(place(image), place(where)).cpu().as_subclass(Tensor)
    assert torch.allclose(warped[0, 2], torch.tensor([[0.5, 0.625, 0.25]] * 2), atol=1e-5)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), ids=st.lists(st.integers(0, 255), min_size=2, max_size=5, unique=True))
def test_never_a_new_label(seed: int, ids: list[int]):
    generator = np.random.default_rng(seed)
    labels = torch.from_numpy(generator.choice(np.array(ids, np.uint8), (1, 24, 30)))
    warped = warp_labels(labels, map_from_flow(smooth_flow(seed=seed)))
    assert set(warped.unique().tolist()) <= set(labels.unique().tolist())


def test_source_and_result_may_differ_in_size(place):
    labels = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    where = torch.tensor([[3.0, 0.0], [2.0, 0.0]]).view(1, 2, 1, 2)  # (3, 2) and (0, 0)
    assert warp_labels(place(labels), place(where)).flatten().tolist() == [11, 0]
    image = labels.float()[:, None]
    assert torch.allclose(
        warp_image(place(image), place(where)).flatten().cpu().as_subclass(Tensor), torch.tensor([11.0, 0.0]), atol=1e-4
    )


def test_a_mirrored_picture_with_mirrored_flow_is_the_mirrored_result(place, texture, as_batch):
    image = as_batch(texture(24, 30)).float()
    flow = smooth_flow(seed=5)
    mirrored = flow.flip(3) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
    here = warp_image(place(image), place(map_from_flow(flow)))
    there = warp_image(place(image.flip(3)), place(map_from_flow(mirrored)))
    assert (here.flip(3) - there).abs().max() < 255 * 1e-4
