from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.losses.rmi import (
    RegionMutualInformation,
    binary_cross_entropy_sum,
    log_residual_determinant,
    region_mutual_information,
)


def example(seed: int = 0, classes: int = 3, side: int = 22) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, classes + 1, (2, side // 3 + 1, side // 3 + 1), generator=generator)
    coarse[coarse == classes] = 255
    target = coarse.repeat_interleave(3, 1).repeat_interleave(3, 2)[:, :side, : side - 1].to(torch.uint8)
    return torch.randn(2, classes, side, side - 1, generator=generator, dtype=torch.float64) * 2, target


def pooled(plane: np.ndarray, pooling: str) -> np.ndarray:
    """Average of 4 x 4, stride 4, 2 zeros around (counted); or maximum of 3 x 3, stride 3, 1 around."""
    size, border = (4, 2) if pooling == "average" else (3, 1)
    padded = np.pad(plane, border, constant_values=0 if pooling == "average" else -np.inf)
    rows, columns = ((length - size) // size + 1 for length in padded.shape)
    small = np.zeros((rows, columns))
    for row, column in np.ndindex(small.shape):
        block = padded[row * size : row * size + size, column * size : column * size + size]
        small[row, column] = block.mean() if pooling == "average" else block.max()
    return small


def by_loops(logits: np.ndarray, target: np.ndarray, pooling: str, share: float = 0.5) -> float:
    """Region mutual information and binary cross-entropy by explicit loops: images, classes, patches."""
    images, classes = logits.shape[:2]
    valid = target != 255
    binary, region = 0.0, 0.0
    for image in range(images):
        for one in range(classes):
            truth = ((target[image] == one) & valid[image]).astype(float)
            p = 1 / (1 + np.exp(-logits[image, one]))
            binary += -(np.where(truth > 0, np.log(p), np.log(1 - p)) * valid[image]).sum()
            small_truth, small_p = pooled(truth, pooling), pooled(p * valid[image] + 1e-6, pooling)
            y, q = [], []
            for row in range(small_truth.shape[0] - 2):
                for column in range(small_truth.shape[1] - 2):
                    y.append(small_truth[row : row + 3, column : column + 3].ravel())
                    q.append(small_p[row : row + 3, column : column + 3].ravel())
            y_centred, q_centred = np.array(y) - np.mean(y, 0), np.array(q) - np.mean(q, 0)
            a, b, x = y_centred.T @ y_centred, q_centred.T @ q_centred, y_centred.T @ q_centred
            m = a - x @ np.linalg.inv(b + 5e-4 * np.eye(9)) @ x.T
            pivots = np.diag(np.linalg.cholesky(m + 5e-4 * np.eye(9)))
            region += 0.5 * 2 * np.log(pivots + 1e-8).sum() / 9 / images
    return share * binary / (valid.sum() + 1) + (1 - share) * region


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("share", [0.5, 0.0, 1.0])
def test_equals_the_formulation_by_loops(pooling: str, share: float) -> None:
    logits, target = example()
    loss = RegionMutualInformation(pooling, share)(logits, target)
    assert loss.item() == pytest.approx(by_loops(logits.numpy(), target.numpy(), pooling, share), rel=1e-9)


def test_determinant_of_what_predictions_explain() -> None:
    """One dimension: 1/2 log(a - x^2 / (b + d) + d), by hand."""
    truth = torch.tensor([[0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    predicted = torch.tensor([[0.2, 0.8, 0.6, 0.4]], dtype=torch.float64)
    a, b, x = 1.0, 0.2, 0.4
    expected = 0.5 * math.log(a - x * x / (b + 5e-4) + 5e-4)
    assert log_residual_determinant(truth, predicted).item() == pytest.approx(expected, abs=1e-6)


def test_better_predictions_cost_less() -> None:
    _, target = example(1)
    truth = torch.stack([target == one for one in range(3)], 1).double() * 2 - 1
    each = [region_mutual_information(truth * sharpness, target).sum() for sharpness in (-4, 0, 2, 8)]
    assert each[3] < each[2] < each[1]
    assert each[2] < each[0] + 1e-9


def test_images_are_on_their_own() -> None:
    logits, target = example(2)
    both = region_mutual_information(logits, target)
    assert torch.allclose(both[1:], region_mutual_information(logits[1:], target[1:]), rtol=1e-12)
    assert torch.allclose(both.flip(0), region_mutual_information(logits.flip(0), target.flip(0)), rtol=1e-12)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_gradcheck(pooling: str) -> None:
    logits, target = example(3, 2, 10)
    logits, target = logits[:1].clone().requires_grad_(), target[:1]
    term = RegionMutualInformation(pooling)
    assert torch.autograd.gradcheck(lambda z: term(z, target), logits, atol=1e-5, rtol=1e-3)


def test_binary_cross_entropy_is_torch_s() -> None:
    logits, target = example(4)
    weights = torch.rand(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * (
        target != 255
    )
    hot = torch.stack([target == one for one in range(3)], 1).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, hot, weights[:, None], reduction="sum")
    assert binary_cross_entropy_sum(logits, target, weights).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_at_extreme_logits(scale: float, dtype: torch.dtype) -> None:
    logits, target = example(5)
    logits = (logits.sign() * scale).to(dtype).requires_grad_()
    loss = RegionMutualInformation()(logits, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert bool(loss.isfinite())
    assert bool(logits.grad.isfinite().all())
    perfect = torch.stack([target == one for one in range(3)], 1).float() * 2 * scale - scale
    assert bool(RegionMutualInformation()(perfect, target).isfinite())


def test_not_a_number_stays_one() -> None:
    logits, target = example(5)
    logits[0, 0, 3, 3] = torch.nan
    assert bool(RegionMutualInformation()(logits, target).isnan())


def test_void_images_count_for_nothing() -> None:
    logits, target = example(6)
    alone = RegionMutualInformation()(logits[:1], target[:1])
    target[1] = 255
    assert RegionMutualInformation()(logits, target).item() == pytest.approx(alone.item(), rel=1e-12)


def test_images_too_small_for_patches() -> None:
    with pytest.raises(ValueError, match="at least 8 x 8 expected"):
        region_mutual_information(torch.zeros(1, 2, 7, 20), torch.zeros(1, 7, 20, dtype=torch.uint8))
    region_mutual_information(torch.zeros(1, 2, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize("arguments", [{"pooling": "mean"}, {"share": 2}, {"share": "half"}])
def test_impossible_settings(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        RegionMutualInformation(**arguments)  # type: ignore[arg-type]


def test_half_precision_is_computed_in_float32() -> None:
    logits, target = example(8)
    expected = region_mutual_information(logits.bfloat16().float(), target)
    assert torch.equal(region_mutual_information(logits.bfloat16(), target), expected)
