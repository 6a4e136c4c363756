from __future__ import annotations

import pytest
import torch

from seglift.losses.perceptual import perceptual_loss, style_loss


def features(seed=0, batch=2):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(batch, *size, generator=generator) for size in ((3, 4, 5), (6, 2, 3))]


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_equal_features_cost_nothing(loss):
    assert loss(features(), features()) == 0


def test_perceptual_is_the_sum_over_layers_of_mean_differences():
    other = [layer + step for layer, step in zip(features(), (0.5, 0.25), strict=True)]
    assert perceptual_loss(features(), other).item() == pytest.approx(0.75)


def test_style_does_not_see_where_features_are():
    moved = [layer.flip(3) for layer in features()]
    assert style_loss(features(), moved).item() == pytest.approx(0, abs=1e-6)
    assert perceptual_loss(features(), moved) > 0.05


def test_style_by_hand():
    ours, true = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    ours[0, 0] = torch.tensor([[1.0, 3.0]])  # Gram: 10 at one of four places, divided by 2 * 1 * 2
    assert style_loss([ours], [true]).item() == pytest.approx(10 / 4 / 4)


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_parts_add_up(loss):
    whole = loss(features(), features(1))
    parts = [
        loss([x[n : n + 1] for x in features()], [x[n : n + 1] for x in features(1)], torch.tensor(2.0)) for n in (0, 1)
    ]
    assert sum(parts).item() == pytest.approx(whole.item())


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_gradients_are_those_of_differences(loss):
    ours, true = [x.double().requires_grad_() for x in features(0, 1)], [x.double() for x in features(1, 1)]
    assert torch.autograd.gradcheck(lambda *layers: loss(layers, true), ours)


def test_other_layers_are_refused():
    with pytest.raises(ValueError, match="same shapes"):
        perceptual_loss(features(), features()[:1])
    with pytest.raises(ValueError, match="at least one"):
        style_loss([], [])
