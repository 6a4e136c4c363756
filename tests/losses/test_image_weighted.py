from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.losses.image_weighted import ImageWeighted, image_class_weights, image_weighted_cross_entropy


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(3, 6, 7, generator=generator) ** 2 * 5).to(torch.uint8)
    target[target == 4] = 255
    target[1] = 255
    return torch.randn(3, 4, 6, 7, generator=generator, dtype=torch.float64), target


def as_released(logits: np.ndarray, target: np.ndarray, upper_bound: float, inverse: bool, pixels: np.ndarray) -> float:
    """The image-based weights of NVIDIA/semantic-segmentation in numpy; images added."""
    total = 0.0
    for z, label, weight in zip(logits, target, pixels, strict=True):
        valid = label != 255
        if not valid.any():
            continue
        hist = np.histogram(label[valid], bins=np.arange(z.shape[0] + 1), density=True)[0]
        with np.errstate(divide="ignore"):
            gain = 1 / hist if inverse else 1 - hist
        by_class = np.where(hist != 0, upper_bound * gain, 0) + 1
        log_p = z - np.log(np.exp(z).sum(0))
        w = by_class[label[valid]] * weight[valid]
        nll = -np.take_along_axis(log_p[:, valid], label[valid][None].astype(int), 0)[0]
        total += float((w * nll).sum() / w.sum())
    return total


@pytest.mark.parametrize("inverse", [False, True])
def test_mean_over_images_of_the_released_loss(inverse: bool) -> None:
    logits, target = example()
    pixels = torch.rand(target.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 0.1
    loss = image_weighted_cross_entropy(logits, target, 1.5, inverse, pixels)
    expected = as_released(logits.numpy(), target.numpy(), 1.5, inverse, pixels.numpy()) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_weights_by_hand() -> None:
    target = torch.tensor([[[0, 0, 0, 2], [255, 255, 255, 255]]], dtype=torch.uint8)
    assert image_class_weights(target)[0, :4].tolist() == [1.25, 1.0, 1.75, 1.0]
    assert image_class_weights(target, 2.0, inverse=True)[0, :3].tolist() == pytest.approx([1 + 2 / 0.75, 1.0, 9.0])
    assert image_class_weights(torch.full((1, 2, 2), 255)).unique().tolist() == [1.0]


def test_gradcheck() -> None:
    logits, target = example()
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: image_weighted_cross_entropy(z, target), logits)


@pytest.mark.parametrize("arguments", [{"upper_bound": -1}, {"upper_bound": "1"}, {"inverse": 1}])
def test_impossible_settings(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        ImageWeighted(**arguments)  # type: ignore[arg-type]
