from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.losses.cross_entropy import cross_entropy_map
from seglift.losses.neighbours import neighbour_sets
from seglift.losses.relaxation import RelaxedCrossEntropy, relaxed_cross_entropy_map


def relaxed(logits: Tensor, target: Tensor, radius: int = 1, void_center: str = "ignore") -> Tensor:
    return relaxed_cross_entropy_map(logits, neighbour_sets(target, logits.shape[1], radius, void_center))


def example(seed: int = 0, classes: int = 4, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(0, classes + 1, (2, 3, 4), generator=generator)
    blocks[blocks == classes] = 255
    target = blocks.repeat_interleave(3, 1).repeat_interleave(3, 2).to(torch.uint8)
    return torch.randn(2, classes, 9, 12, generator=generator, dtype=dtype) * 3, target


def from_the_equation(logits: np.ndarray, target: np.ndarray, radius: int) -> np.ndarray:
    """Equation 5 of Zhu et al. 2019 to the letter: minus the log of the sum of the softmax over N(p)."""
    losses = np.zeros(target.shape)
    for image, row, column in np.ndindex(target.shape):
        if target[image, row, column] == 255:
            continue
        exponentials = np.exp(logits[image, :, row, column])
        rows = slice(max(0, row - radius), row + radius + 1)
        columns = slice(max(0, column - radius), column + radius + 1)
        shown = set(target[image, rows, columns].ravel()) - {255}
        losses[image, row, column] = -math.log(sum(exponentials[one] / exponentials.sum() for one in shown))
    return losses


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_equation_five(radius: int) -> None:
    logits, target = example()
    expected = from_the_equation(logits.numpy(), target.numpy(), radius)
    assert np.allclose(relaxed(logits, target, radius).numpy(), expected, rtol=1e-12, atol=1e-14)


def test_uniform_logits() -> None:
    target = torch.zeros(1, 4, 6, dtype=torch.uint8)
    target[..., 3:] = 1
    losses = relaxed(torch.zeros(1, 7, 4, 6), target)
    assert torch.allclose(losses[..., [0, 1, 4, 5]], torch.tensor(math.log(7)))
    assert torch.allclose(losses[..., 2:4], torch.tensor(math.log(7 / 2)))


def test_gradients_on_the_members_add_up() -> None:
    logits, target = example(3)
    logits.requires_grad_()
    relaxed(logits, target).sum().backward()
    assert logits.grad is not None
    sets = neighbour_sets(target, 4)
    gradient = logits.grad.permute(1, 0, 2, 3).flatten(1)[:, sets.boundary]
    p = logits.detach().softmax(1).permute(1, 0, 2, 3).flatten(1)[:, sets.boundary]
    assert torch.allclose((gradient * sets.allowed).sum(0), -(1 - (p * sets.allowed).sum(0)))
    assert torch.allclose(logits.grad.sum(1), torch.zeros(()).double(), atol=1e-14)
    assert not logits.grad.permute(0, 2, 3, 1)[target == 255].any()


@pytest.mark.parametrize("radius", [0, 1, 2])
@pytest.mark.parametrize("void_center", ["ignore", "reference"])
def test_gradcheck(radius: int, void_center: str) -> None:
    logits, target = example(1, 3)
    logits, target = logits[:, :, :6, 1:6].clone().requires_grad_(), target[:, :6, 1:6]
    weights = torch.rand(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    assert torch.autograd.gradcheck(lambda z: relaxed(z, target, radius, void_center) * weights, logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_window_of_nothing_is_cross_entropy_to_the_bit(dtype: torch.dtype) -> None:
    logits, target = example(2, dtype=dtype)
    ours, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = RelaxedCrossEntropy(radius=0)(ours, target)
    expected = F.cross_entropy(plain, target.long(), ignore_index=255)
    assert torch.equal(
        relaxed(logits, target, 0), F.cross_entropy(logits, target.long(), ignore_index=255, reduction="none")
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward(), expected.backward()
    assert torch.allclose(ours.grad, plain.grad, rtol=1e-6, atol=1e-9)


maps = hnp.arrays(np.uint8, (2, 5, 6), elements=st.sampled_from([0, 1, 2, 255]))
values = hnp.arrays(np.float32, (2, 3, 5, 6), elements=st.floats(-50, 50, width=32))


@settings(max_examples=40)
@given(maps, values, st.integers(0, 3))
def test_never_above_cross_entropy_and_falls_with_the_radius(
    target: np.ndarray, logits: np.ndarray, radius: int
) -> None:
    z, t = torch.from_numpy(logits).double(), torch.from_numpy(target)
    losses = relaxed(z, t, radius)
    assert bool((losses <= cross_entropy_map(z, t) + 1e-12).all())
    assert bool((relaxed(z, t, radius + 1) <= losses + 1e-12).all())
    assert bool((losses >= -1e-12).all())


@settings(max_examples=25)
@given(maps, values)
def test_images_do_not_see_each_other(target: np.ndarray, logits: np.ndarray) -> None:
    z, t = torch.from_numpy(logits), torch.from_numpy(target)
    together = relaxed(z, t)
    assert torch.equal(together[:1], relaxed(z[:1], t[:1]))
    assert torch.equal(together.flip(0), relaxed(z.flip(0), t.flip(0)))


def test_gradients_of_an_image_do_not_depend_on_the_one_beside_it() -> None:
    gradients = []
    for seed in (7, 8):
        logits, target = example(1, dtype=torch.float32)
        logits[1], target[1] = (part[0] for part in example(seed, dtype=torch.float32))
        logits.requires_grad_()
        relaxed(logits, target).sum().backward()
        gradients.append(logits.grad[0])
    assert torch.equal(*gradients)


def test_finite_at_extreme_logits() -> None:
    """The released code is NaN at logits (200, 0, -200) with the third class as target."""
    target = torch.tensor([[[2, 2, 2, 1, 1, 255, 0]]], dtype=torch.uint8)
    for scale in (200.0, 1e4):
        row = torch.tensor([scale, 0.0, -scale])
        logits = row.view(1, 3, 1, 1).repeat(1, 1, 1, 7).requires_grad_()
        losses = relaxed(logits, target)
        losses.sum().backward()
        assert losses.tolist() == [[[2 * scale, 2 * scale, scale, scale, scale, 0, 0]]]
        assert bool(logits.grad.isfinite().all())
        assert torch.allclose(logits.grad[0, :, 0, 2], torch.tensor([1.0, -1.0, 0.0]))


def test_void_next_to_labels() -> None:
    target = torch.tensor([[[0, 255, 1, 255, 255, 255]]], dtype=torch.uint8)
    logits = torch.randn(1, 3, 1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = logits.softmax(1)[0, :, 0]
    ignored = relaxed(logits, target)[0, 0]
    assert torch.allclose(ignored, torch.stack([-p[0, 0].log(), p[0, 0] * 0, -p[1, 2].log(), *[p[0, 0] * 0] * 3]))
    trained = relaxed(logits, target, void_center="reference")[0, 0]
    assert trained[1].item() == pytest.approx(-(p[0, 1] + p[1, 1]).log().item())
    assert trained[3].item() == pytest.approx(-p[1, 3].log().item())
    assert trained[4:].tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, target = example(4, dtype=torch.float32)
    halves = logits.to(dtype).requires_grad_()
    losses = relaxed(halves, target)
    assert losses.dtype == torch.float32
    assert torch.equal(losses, relaxed(halves.detach().float(), target))
    losses.sum().backward()
    assert halves.grad.dtype == dtype
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(relaxed(logits, target), relaxed(logits, target))


def test_channels_last_changes_nothing() -> None:
    logits, target = example(4, dtype=torch.float32)
    ours = logits.clone(memory_format=torch.channels_last).requires_grad_()
    plain = logits.clone().requires_grad_()
    for z in (ours, plain):
        relaxed(z, target).square().sum().backward()
    assert torch.equal(ours.grad, plain.grad)


def test_many_classes() -> None:
    target = torch.randint(0, 255, (1, 6, 6), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    logits = torch.randn(1, 255, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert np.allclose(relaxed(logits, target), from_the_equation(logits.numpy(), target.numpy(), 1))


def test_strict_classes_keep_their_own_label() -> None:
    logits, target = example(6)
    term = RelaxedCrossEntropy(strict_classes=[1, 3])
    losses = relaxed_cross_entropy_map(logits, term.sets(target, 4))
    plain, loose = cross_entropy_map(logits, target), relaxed(logits, target)
    strict = (target == 1) | (target == 3)
    assert torch.allclose(losses, torch.where(strict, plain, loose), rtol=1e-12, atol=0)
    assert not torch.allclose(losses, loose)


def test_switched_off_at_its_epoch() -> None:
    logits, target = example(6)
    term = RelaxedCrossEntropy(off_epoch=2, off_boundary_weight=2.0)
    plain, valid = cross_entropy_map(logits, target), int((target != 255).sum())
    assert term(logits, target, epoch=1.99).item() == pytest.approx(relaxed(logits, target).sum().item() / valid)
    factor = torch.ones(target.numel(), dtype=torch.float64)
    factor[neighbour_sets(target, 4).boundary] = 2
    expected = (plain * factor.view_as(plain)).sum().item() / valid
    assert term(logits, target, epoch=2).item() == pytest.approx(expected)
    assert RelaxedCrossEntropy(off_epoch=0)(logits, target).item() == pytest.approx(plain.sum().item() / valid)


def released_scale(logits: np.ndarray, target: np.ndarray, upper_bound: float) -> float:
    """SPEC of the released code without its mix-up of images: multi-hot with a void channel, image by image."""
    classes = logits.shape[1]
    total = 0.0
    for z, label in zip(logits, target, strict=True):
        padded = np.pad(np.where(label == 255, classes, label), 1, constant_values=classes)
        hot = np.zeros((classes + 1, *label.shape))
        for row, column in np.ndindex(label.shape):
            hot[np.unique(padded[row : row + 3, column : column + 3]), row, column] = 1
        share = hot.sum((1, 2)) / hot.sum()
        weights = ((share != 0) * upper_bound * (1 - share) + 1)[:-1]
        soft = np.exp(z) / np.exp(z).sum(0)
        members = hot[:-1].sum(0)
        log_p = np.log(np.where(members > 0, (hot[:-1] * soft).sum(0), 1))
        losses = -(hot[:-1] * weights[:, None, None]).sum(0) * log_p / np.maximum(members, 1)
        total += losses.sum() / ((members > 0).sum() + 1)
    return total


def test_released_scale_and_weights() -> None:
    logits, target = example(11)
    term = RelaxedCrossEntropy(void_center="reference", class_weights="hist", upper_bound=1.5, reduction="sum_images")
    expected = released_scale(logits.numpy(), target.numpy(), 1.5)
    assert term(logits, target).item() == pytest.approx(expected, rel=1e-6)


def test_weighted_mean() -> None:
    logits, target = example(9)
    pixels = torch.rand(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    by_class = [1.0, 0.5, 2.0, 0.0]
    sets = neighbour_sets(target, 4)
    weights = torch.zeros(target.numel(), dtype=torch.float64)
    for place, one in enumerate(target.flatten().tolist()):
        weights[place] = 0 if one == 255 else by_class[one]
    for place, members in zip(sets.boundary.tolist(), sets.allowed.t(), strict=True):
        weights[place] = torch.tensor(by_class)[members].mean()
    weights = weights.view_as(pixels) * pixels
    expected = (relaxed(logits, target) * weights).sum() / weights.sum()
    loss = RelaxedCrossEntropy(class_weights=by_class)(logits, target, None, pixels)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_all_void_is_zero_with_a_graph() -> None:
    target = torch.full((2, 4, 4), 255, dtype=torch.uint8)
    terms = (RelaxedCrossEntropy(), RelaxedCrossEntropy(class_weights="hist", void_center="reference", off_epoch=0))
    for term in (*terms, RelaxedCrossEntropy(reduction="sum_images")):
        logits = torch.randn(2, 3, 4, 4, requires_grad=True)
        loss = term(logits, target)
        loss.backward()
        assert loss.item() == 0
        assert not logits.grad.any()


@pytest.mark.parametrize(
    "arguments",
    [
        {"radius": -1},
        {"radius": 1.5},
        {"radius": True},
        {"radius": "3"},
        {"void_center": "train"},
        {"strict_classes": 3},
        {"strict_classes": [255]},
        {"strict_classes": "12"},
        {"off_epoch": -1},
        {"off_epoch": float("nan")},
        {"off_boundary_weight": -1},
        {"class_weights": "histogram"},
        {"class_weights": [1.0, -1.0]},
        {"class_weights": [0.0, 0.0]},
        {"class_weights": ["a"]},
        {"upper_bound": -0.1},
        {"reduction": "sum"},
    ],
)
def test_impossible_settings_are_named(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"^{next(iter(arguments))} is .*, expected"):
        RelaxedCrossEntropy(**arguments)


def test_sizes_that_do_not_fit() -> None:
    logits, target = example()
    with pytest.raises(ValueError, match="sets of 4 classes expected, got 5"):
        relaxed_cross_entropy_map(logits, neighbour_sets(target, 5))
    with pytest.raises(ValueError, match="4 class weights expected, got 3"):
        RelaxedCrossEntropy(class_weights=[1, 1, 1])(logits, target)
    with pytest.raises(ValueError, match="target"):
        RelaxedCrossEntropy()(logits, target[:, 1:])
    with pytest.raises(ValueError, match="pixel weights"):
        RelaxedCrossEntropy()(logits, target, None, torch.ones(1, 2, 3))
