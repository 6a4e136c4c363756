from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seglift.inference.multi_scale import multi_scale_logits, resize

IMAGES = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))


def colors(images: Tensor) -> Tensor:
    """Mirrors with its input and sees one pixel at a time."""
    return torch.cat([images, -images], dim=1)


def columns(images: Tensor) -> Tensor:
    """Does not mirror with its input: the column number."""
    line = torch.arange(images.shape[-1], dtype=torch.float32)
    return line.expand(images.shape[0], 1, *images.shape[-2:])


def test_flip_is_the_identity_for_an_equivariant_model() -> None:
    assert torch.allclose(multi_scale_logits(colors, IMAGES, flip=True), colors(IMAGES), atol=1e-6)


def test_flip_averages_what_does_not_mirror() -> None:
    result = multi_scale_logits(columns, IMAGES, flip=True)
    assert torch.equal(result, torch.full((2, 1, 12, 16), 7.5))


def test_scales_agree_on_a_constant_image_and_keep_its_size() -> None:
    flat = torch.full((1, 3, 13, 17), 0.3)
    result = multi_scale_logits(colors, flat, scales=(0.5, 1.0, 1.75), flip=True)
    assert result.shape == (1, 6, 13, 17)
    assert torch.allclose(result, colors(flat), atol=1e-6)


def test_average_of_logits_and_of_probabilities_by_hand() -> None:
    # The two scales of a 2 x 2 image (2 x 2, 4 x 4) give logits that follow the width.
    def by_width(images: Tensor) -> Tensor:
        value = 0.0 if images.shape[-1] == 2 else 4.0
        return torch.tensor([value, 0.0]).view(1, 2, 1, 1).expand(1, 2, *images.shape[-2:])

    image = torch.zeros(1, 3, 2, 2)
    logits = multi_scale_logits(by_width, image, scales=(1.0, 2.0))
    assert logits[0, :, 0, 0].tolist() == pytest.approx([2.0, 0.0])
    p = multi_scale_logits(by_width, image, scales=(1.0, 2.0), average="probabilities").exp()
    high = torch.tensor([4.0, 0.0]).softmax(0)[0].item()
    assert p[0, :, 0, 0].tolist() == pytest.approx([(0.5 + high) / 2, (1.5 - high) / 2])


def test_resize_to_the_same_size_is_the_same_tensor() -> None:
    assert resize(IMAGES, 12, 16) is IMAGES
    with pytest.raises(ValueError, match="scale"):
        multi_scale_logits(colors, IMAGES, scales=())
