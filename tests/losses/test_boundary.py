from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.losses.boundary import BoundaryLoss, central_differences, gumbel_softmax


def certain(target: torch.Tensor, classes: int = 3) -> torch.Tensor:
    """Logits so far apart that any soft sample is one-hot; ignored pixels are of class 0."""
    index = target.long().masked_fill(target == 255, 0)
    return torch.nn.functional.one_hot(index, classes).movedim(-1, 1).double() * 1e4


def halves(height: int = 8, width: int = 10, at: int = 4) -> torch.Tensor:
    """Class 1 from column ``at`` on, class 0 before, [1, H, W]."""
    target = torch.zeros(1, height, width, dtype=torch.uint8)
    target[..., at:] = 1
    return target


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_numpy(soft: np.ndarray, target: np.ndarray) -> float:
    """Equation 2 with numpy.gradient, straight from the definition."""
    truth_parts, predicted_parts = [], []
    for maps, labels in zip(soft, target, strict=True):
        height, width = labels.shape
        for one in range(len(maps)):
            norms = [np.hypot(*np.gradient(plane)) for plane in ((labels == one).astype(float), maps[one])]
            for row, column in np.ndindex(height, width):
                around = labels[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                if (around == 255).any():
                    continue
                truth, predicted = norms[0][row, column], norms[1][row, column]
                if truth > 1e-8:
                    truth_parts.append(abs(predicted - truth))
                if predicted > 1e-8:
                    predicted_parts.append(abs(predicted - truth))
    return sum(0.5 * float(np.mean(parts)) for parts in (truth_parts, predicted_parts) if parts)


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.randint(0, 3, (3, 4, 5), generator=seeded(seed)).repeat_interleave(2, 1).to(torch.uint8)
    target[0, 2:4, 1] = 255
    return torch.randn(3, 3, 8, 5, generator=seeded(seed + 1), dtype=torch.float64), target


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 100))
def test_differences_are_those_of_numpy(height: int, width: int, seed: int) -> None:
    maps = torch.randn(2, height, width, generator=seeded(seed), dtype=torch.float64)
    x, y = (part.numpy() for part in central_differences(maps))
    for found, axis in ((x, 2), (y, 1)):
        expected = np.gradient(maps.numpy(), axis=axis) if maps.shape[axis] > 1 else np.zeros(maps.shape)
        np.testing.assert_allclose(found, expected, atol=1e-15)


def test_a_right_and_certain_prediction_costs_nothing() -> None:
    _, target = example()
    assert BoundaryLoss()(certain(target), target, generator=seeded()).item() == pytest.approx(0, abs=1e-12)


def test_a_boundary_off_by_one_pixel_by_hand() -> None:
    # Strengths along a row: labels .5 at 3 and 4, prediction .5 at 4 and 5, in both class maps: of two pixels in each
    # set, one differs by .5.
    loss = BoundaryLoss()(certain(halves(at=5), 2), halves(at=4), generator=seeded())
    assert loss.item() == pytest.approx(0.5 * 0.25 + 0.5 * 0.25, abs=1e-5)
    one_sided = BoundaryLoss(truth_weight=1, prediction_weight=0)
    assert one_sided(certain(halves(at=6), 2), halves(at=4), generator=seeded()).item() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("sure", [1, 15])
def test_the_definition(sure: int) -> None:
    """Where predictions are sure, many change by less than a boundary has to."""
    logits, target = example()
    logits *= sure
    soft = gumbel_softmax(logits, 0.5, seeded(7))
    norms = np.stack([np.hypot(*np.gradient(plane)) for plane in soft.flatten(0, 1).numpy()])
    assert ((norms < 1e-8).mean() > 0.02) == (sure > 1)
    loss = BoundaryLoss()(logits, target, generator=seeded(7))
    assert loss.item() == pytest.approx(by_numpy(soft.numpy(), target.numpy()), abs=1e-5)


def test_gradcheck() -> None:
    logits, target = example()
    logits.requires_grad_()
    images = torch.tensor([True, False, True])
    assert torch.autograd.gradcheck(lambda z: BoundaryLoss()(z, target, images, seeded(3)), logits)


def test_noise_is_fresh_and_follows_the_generator() -> None:
    logits, target = example()
    loss, generator = BoundaryLoss(), seeded(1)
    first, second = loss(logits, target, generator=generator), loss(logits, target, generator=generator)
    assert first != second
    assert first == loss(logits, target, generator=seeded(1))


def test_a_soft_sample_picks_classes_as_often_as_they_are_probable() -> None:
    p = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    logits = p.log().view(1, 3, 1, 1).expand(1, 3, 200, 200)
    soft = gumbel_softmax(logits, 0.5, seeded())
    assert torch.allclose(soft.sum(1), torch.ones(1, 200, 200, dtype=torch.float64))
    share = torch.bincount(soft.argmax(1).flatten(), minlength=3) / 40000
    assert share.tolist() == pytest.approx(p.tolist(), abs=0.01)


def test_what_lies_within_a_pixel_of_ignore_is_left_out() -> None:
    target = halves()
    target[0, 3:5, 3:5] = 255
    logits = torch.randn(1, 2, 8, 10, generator=seeded(), dtype=torch.float64, requires_grad=True)
    BoundaryLoss()(logits, target, generator=seeded(2)).backward()
    # Differences reach one pixel, so what is right beside ignored pixels still moves those two away, and no more.
    assert logits.grad is not None and (logits.grad[0, :, 3:5, 3:5] == 0).all()
    assert (logits.grad[0, :, 0] != 0).any()
    assert BoundaryLoss().counts(target, 2).tolist() == [2 * 2 * 4, 80 - 16]


@pytest.mark.parametrize("images", [torch.zeros(3, dtype=torch.bool), None])
def test_empty_sets_cost_nothing_and_keep_the_graph(images: torch.Tensor | None) -> None:
    logits, target = example()
    if images is None:
        target = torch.full_like(target, 255)
    logits.requires_grad_()
    loss = BoundaryLoss()(logits, target, images, seeded())
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and (logits.grad == 0).all()


def test_images_that_take_no_part_change_nothing() -> None:
    logits, target = example()
    alone = BoundaryLoss()(logits[1:2], target[1:2], generator=seeded(5))
    among = BoundaryLoss()(logits, target, torch.tensor([False, True, False]), seeded(5))
    assert among == alone


def test_parts_add_up_to_the_whole() -> None:
    # With a share of 1 for the labels' boundaries it is exact; predicted ones are everywhere here, so the number of
    # pixels is that of boundaries.
    logits, target = example()
    logits *= 0.1
    loss, noise = BoundaryLoss(), seeded(4)
    whole = loss(logits, target, generator=seeded(4))
    counts = sum(loss.counts(target[n : n + 1], 3) for n in range(3))
    parts = [loss(logits[n : n + 1], target[n : n + 1], generator=noise, counts=counts) for n in range(3)]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1e4, -1e4])
def test_finite_in_single_and_half_precision(scale: float) -> None:
    logits, target = example()
    for dtype in (torch.float32, torch.float16):
        z = (logits * scale).to(dtype).requires_grad_()
        loss = BoundaryLoss()(z, target, generator=seeded())
        loss.backward()
        assert loss.dtype == torch.float32 and loss.isfinite()
        assert z.grad is not None and z.grad.isfinite().all()


def test_a_flat_prediction_has_a_finite_gradient() -> None:
    target = halves()
    logits = certain(torch.zeros_like(target), 2).requires_grad_()
    loss = BoundaryLoss()(logits, target, generator=seeded())
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * 0.5, abs=1e-5)  # no predicted boundary, .5 missing at each true one
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_shapes_and_settings() -> None:
    logits, target = example()
    with pytest.raises(ValueError, match="images"):
        BoundaryLoss()(logits, target, torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected"):
        BoundaryLoss()(logits, target[:2])
    for arguments in ({"temperature": 0}, {"truth_weight": -1}, {"prediction_weight": float("nan")}):
        with pytest.raises(UserError, match=next(iter(arguments))):
            BoundaryLoss(**arguments)  # type: ignore[arg-type]


def test_more_memory_than_the_sample_is_for_one_image_only() -> None:
    logits = torch.randn(4, 5, 16, 16, generator=seeded(), requires_grad=True)
    target = torch.randint(0, 5, (4, 16, 16), generator=seeded(1)).to(torch.uint8)
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        BoundaryLoss()(logits, target, generator=seeded())
    assert len({tensor.data_ptr() for tensor in kept if tensor.numel() == logits.numel()}) == 1
