from __future__ import annotations

import pytest
import torch

from seglift.models.panoptic_output import resize_aligned, resize_offset


def offsets_to(centre: tuple[float, float], height: int, width: int) -> torch.Tensor:
    """The way from each pixel to one point, [1, 2, H, W]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((centre[0] - y, centre[1] - x))[None].float()


@pytest.mark.parametrize(("old", "new"), [((5, 9), (17, 33)), ((17, 33), (5, 9)), ((6, 7), (21, 40)), ((4, 6), (4, 6))])
def test_offsets_lead_to_the_same_place_at_every_size(old: tuple[int, int], new: tuple[int, int]) -> None:
    centre = (1.5, 4.0)
    scaled = tuple(c * (b - 1) / (a - 1) for c, a, b in zip(centre, old, new, strict=True))
    assert torch.allclose(resize_offset(offsets_to(centre, *old), new), offsets_to(scaled, *new), atol=1e-4)


def test_corner_pixels_stay_at_the_corners() -> None:
    maps = torch.rand(2, 3, 5, 7)
    larger = resize_aligned(maps, (17, 25))
    assert torch.allclose(larger[..., ::4, ::4], maps, atol=1e-6)


def test_a_single_row() -> None:
    offset = torch.ones(1, 2, 1, 3)
    assert torch.equal(resize_offset(offset, (4, 5)), torch.tensor([3.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5))
    assert torch.equal(resize_offset(offset, (1, 3)), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3))
