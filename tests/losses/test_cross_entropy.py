from __future__ import annotations

import math

import pytest
import torch

from seglift.losses.cross_entropy import class_weight_map, cross_entropy


def test_uniform_logits_cost_log_of_the_number_of_classes() -> None:
    loss = cross_entropy(torch.zeros(2, 7, 3, 4), torch.zeros(2, 3, 4, dtype=torch.uint8))
    assert loss.item() == pytest.approx(math.log(7))


def test_one_pixel_by_hand() -> None:
    logits = torch.tensor([1.0, 2.0, 0.0]).view(1, 3, 1, 1)
    expected = -1.0 + math.log(math.exp(1) + math.exp(2) + 1)
    assert cross_entropy(logits, torch.zeros(1, 1, 1, dtype=torch.uint8)).item() == pytest.approx(expected)


def test_ignored_pixels_count_neither_in_sum_nor_in_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 4, 2, 3, generator=generator)
    target = torch.tensor([[[0, 255, 3], [255, 2, 255]]], dtype=torch.uint8)
    log_p = logits.log_softmax(1)
    expected = -(log_p[0, 0, 0, 0] + log_p[0, 3, 0, 2] + log_p[0, 2, 1, 1]) / 3
    assert cross_entropy(logits, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_nothing_valid_is_zero_with_a_graph() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 2, 2), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_class_and_pixel_weights_make_a_weighted_mean() -> None:
    logits = torch.randn(1, 2, 1, 3, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    class_weights, pixel_weights = torch.tensor([1.0, 3.0]), torch.tensor([[[0.5, 1.0, 0.0]]])
    log_p = logits.log_softmax(1)
    expected = -(0.5 * log_p[0, 0, 0, 0] + 3.0 * log_p[0, 1, 0, 1]) / 3.5
    loss = cross_entropy(logits, target, class_weights, pixel_weights)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_equals_torch_with_class_weights() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 5, 6, 7, generator=generator)
    target = torch.randint(0, 5, (2, 6, 7), generator=generator)
    target[0, :2] = 255
    weights = torch.rand(5, generator=generator)
    expected = torch.nn.functional.cross_entropy(logits, target, weights, ignore_index=255)
    assert torch.allclose(cross_entropy(logits, target.to(torch.uint8), weights), expected, rtol=1e-6)


def test_gradients_are_right() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 3, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[[0, 1], [255, 2]]], dtype=torch.uint8)
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    pixels = torch.rand(1, 2, 2, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, target, weights, pixels), logits)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="target"):
        cross_entropy(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="class weights"):
        cross_entropy(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8), torch.ones(2))


def test_class_weights_are_too_few_for_the_labels() -> None:
    target = torch.tensor([[[0, 2, 255]]], dtype=torch.uint8)
    with pytest.raises(ValueError, match="3 class weights or more expected, got 2"):
        class_weight_map(target, [1.0, 2.0], None, torch.float32)
    assert class_weight_map(target, [1.0, 2.0, 5.0], None, torch.float32).tolist() == [[[1.0, 5.0, 0.0]]]


def test_values_off_the_cpu_are_never_looked_at() -> None:
    """A tensor without values, as on the device meta, breaks everything that would wait for a GPU."""
    target = torch.empty(2, 4, 5, dtype=torch.uint8, device="meta")
    assert class_weight_map(target, [1.0, 2.0], None, torch.float64).shape == (2, 4, 5)
    logits = torch.empty(2, 2, 4, 5, device="meta")
    assert cross_entropy(logits, target, torch.tensor([1.0, 2.0])).device.type == "meta"
