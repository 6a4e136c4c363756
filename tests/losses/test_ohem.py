from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.losses.cross_entropy import cross_entropy, cross_entropy_map
from seglift.losses.ohem import HardestPixels, hardest_cross_entropy, kept_pixels


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 4, (3, 5, 6), generator=generator).to(torch.uint8)
    target[target == 3] = 255
    target[2] = 255
    return torch.randn(3, 3, 5, 6, generator=generator, dtype=torch.float64), target


def by_sorting(logits: np.ndarray, target: np.ndarray, share: float, weights: np.ndarray) -> float:
    """The mean of the hardest pixels from the definition, image by image."""
    hardest: list[float] = []
    for z, label, weight in zip(logits, target, weights, strict=True):
        losses = []
        for row, column in np.argwhere((label != 255) & (weight > 0)):
            exponentials = np.exp(z[:, row, column])
            p = exponentials[label[row, column]] / exponentials.sum()
            losses.append(-np.log(p) * weight[row, column])
        hardest += sorted(losses, reverse=True)[: max(1, round(share * len(losses)))]
    return float(np.mean(hardest))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.55, 1.0])
def test_mean_of_the_hardest(share: float) -> None:
    logits, target = example()
    weights = torch.rand(target.shape, generator=torch.Generator().manual_seed(1)) * 3
    weights[:, 0] = 0
    loss = hardest_cross_entropy(logits, target, share, pixel_weights=weights)
    assert loss.item() == pytest.approx(by_sorting(logits.numpy(), target.numpy(), share, weights.numpy()), rel=1e-6)


def test_all_pixels_are_plain_cross_entropy() -> None:
    logits, target = example()
    assert hardest_cross_entropy(logits, target, 1.0).item() == pytest.approx(cross_entropy(logits, target).item())


@given(st.integers(0, 60), st.floats(0.001, 1))
def test_the_count_follows_from_the_labels(valid: int, share: float) -> None:
    target = torch.full((1, 6, 10), 255, dtype=torch.uint8)
    target.view(-1)[:valid] = 0
    kept = int(kept_pixels(target, share))
    assert kept == 0 if valid == 0 else 1 <= kept <= valid
    assert abs(kept - share * valid) <= 1
    assert HardestPixels(share).counts(target).item() == kept


def test_gradient_reaches_the_hardest_only() -> None:
    logits, target = example()
    logits.requires_grad_()
    hardest_cross_entropy(logits, target, 0.2).backward()
    touched = logits.grad.abs().sum(1) > 0
    losses = cross_entropy_map(logits.detach(), target)
    for image in range(2):
        assert touched[image].sum() == kept_pixels(target, 0.2)[image]
        assert losses[image][touched[image]].min() > losses[image][~touched[image]].max()


def test_gradcheck() -> None:
    logits, target = example(1)
    logits.requires_grad_()
    by_class = [1.0, 2.0, 0.5]
    assert torch.autograd.gradcheck(lambda z: hardest_cross_entropy(z, target, 0.4, by_class), logits)


@pytest.mark.parametrize("share", [0, 1.1, -0.2, "0.2", None, True, float("nan")])
def test_impossible_shares(share: object) -> None:
    with pytest.raises(UserError, match=r"share is .* expected a number above 0, to 1"):
        HardestPixels(share)  # type: ignore[arg-type]


def test_wrong_class_weights() -> None:
    logits, target = example()
    with pytest.raises(ValueError, match="3 class weights expected"):
        HardestPixels(class_weights=[1, 1])(logits, target)
    with pytest.raises(UserError, match="class_weights"):
        HardestPixels(class_weights=[[1.0]])  # type: ignore[list-item]
