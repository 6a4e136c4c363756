"""The OCR head against cases worked out by hand."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seglift.models.ocr import ObjectAttention, OCRHead, gather_regions

EXACT_NORM = {"rtol": 1e-4, "atol": 1e-4}  # batch norm divides by sqrt(1 + 1e-5)


def pass_through(module: nn.Module) -> None:
    """Makes every 1x1 convolution the identity; fresh batch norms in evaluation nearly are."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.eye_(layer.weight.data[:, :, 0, 0])


def test_regions_are_means_weighted_by_the_softmax_over_pixels() -> None:
    features = torch.tensor([[[[2.0, 6.0]], [[-4.0, 4.0]]]])
    logits = torch.tensor([[[[0.0, math.log(3)]], [[7.0, 7.0]]]])
    regions = gather_regions(features, logits)
    expected = torch.tensor([[[0.25 * 2 + 0.75 * 6, 4.0], [0.25 * -4 + 0.75 * 4, 0.0]]]).unsqueeze(3)
    torch.testing.assert_close(regions, expected)


def test_a_sure_class_is_the_feature_of_its_pixel() -> None:
    features = torch.rand(2, 5, 4, 4)
    logits = torch.zeros(2, 3, 4, 4)
    logits[:, 1, 2, 3] = 200.0
    torch.testing.assert_close(gather_regions(features, logits)[:, :, 1, 0], features[:, :, 2, 3])
    torch.testing.assert_close(gather_regions(features, logits)[:, :, 0, 0], features.mean((2, 3)))


def test_each_pixel_mixes_the_values_of_the_classes_it_resembles() -> None:
    attention = ObjectAttention(channels=4, keys=4).eval()
    pass_through(attention)
    alike, other = torch.tensor([math.log(3), 4.0, 0.0, 0.0]), torch.tensor([0.0, 8.0, 0.0, 1.0])
    pixels = torch.zeros(1, 4, 1, 2)
    pixels[0, 0, 0, 0] = 2.0  # times log 3, times 4 ** -0.5: odds of 3 to 1; the second pixel resembles neither
    context = attention(pixels, torch.stack([alike, other], dim=1).view(1, 4, 2, 1))
    torch.testing.assert_close(context[0, :, 0, 0], 0.75 * alike + 0.25 * other, **EXACT_NORM)
    torch.testing.assert_close(context[0, :, 0, 1], 0.5 * alike + 0.5 * other, **EXACT_NORM)


def test_head_of_two_classes_by_hand() -> None:
    """One channel passes through everything; the guess prefers the second pixel for class 0, none for class 1."""
    head = OCRHead(inputs=1, num_classes=2, width=1, keys=1).eval()
    for parameter in head.parameters():
        if parameter.ndim == 4:
            nn.init.zeros_(parameter)
            parameter.data[:, :, parameter.shape[2] // 2, parameter.shape[3] // 2] = 1.0
    for layer in (head.project[0], head.guess[0], head.guess[3], head.classifier):
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    head.guess[3].weight.data[1] = 0.0
    head.fuse[0].weight.data[0, :, 0, 0] = torch.tensor([10.0, 1.0])
    a, b = 1.0, 3.0
    features, guess = head(torch.tensor([[[[a, b]]]]))
    of_a = 1 / (1 + math.exp(b - a))
    regions = (of_a * a + (1 - of_a) * b, (a + b) / 2)

    def context(pixel: float) -> float:
        odds = [math.exp(pixel * region) for region in regions]
        return sum(weight * region for weight, region in zip(odds, regions, strict=True)) / sum(odds)

    torch.testing.assert_close(guess, torch.tensor([[[[a, b]], [[0.0, 0.0]]]]), **EXACT_NORM)
    torch.testing.assert_close(features, torch.tensor([[[[10 * context(a) + a, 10 * context(b) + b]]]]), **EXACT_NORM)


def test_dropout_only_while_training_and_a_far_pixel_is_seen() -> None:
    head = OCRHead(inputs=3, num_classes=2, width=8, keys=4, dropout=0.5)
    maps = torch.rand(2, 3, 9, 9)
    torch.manual_seed(0)
    dropped = (head(maps)[0] == 0).all(dim=(2, 3))
    assert dropped.any()
    head.eval()
    first: Tensor = head(maps)[0]
    assert torch.equal(first, head(maps)[0])
    maps[:, :, 8, 8] += 10
    assert not torch.equal(first[:, :, 0, 0], head(maps)[0][:, :, 0, 0])
