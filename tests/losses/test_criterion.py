from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seglift.base.errors import UserError
from seglift.losses.criterion import CRITERIA, CriterionConfig, make_term
from seglift.losses.cross_entropy import cross_entropy

EVERY: list[tuple[str, dict[str, Any]]] = [
    ("cross_entropy", {}),
    ("cross_entropy", {"class_weights": [1.0, 0.2, 3.0], "label_smoothing": 0.1}),
    ("ohem", {"share": 0.3}),
    ("ohem", {"share": 0.3, "class_weights": [1.0, 0.2, 3.0]}),
    ("image_weighted", {"upper_bound": 2.0}),
    ("relaxed", {}),
    ("relaxed", {"class_weights": "hist", "void_center": "reference"}),
    ("relaxed", {"class_weights": [1.0, 0.2, 3.0], "off_epoch": 1, "off_boundary_weight": 2.0}),
    ("relaxed", {"reduction": "sum_images", "radius": 2}),
    ("rmi", {}),
    ("rmi", {"pooling": "max", "share": 0.2}),
]
each_criterion = pytest.mark.parametrize(("name", "arguments"), EVERY)


def example(images: int = 5, seed: int = 0) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 4, (images, 5, 5), generator=generator)
    target[target == 3] = 255
    target = target.repeat_interleave(2, 1).repeat_interleave(2, 2).to(torch.uint8)
    target[images // 2] = 255
    names = ("main", "aux", "scale_0.5", "attention")
    outputs = {name: torch.randn(images, 3, 10, 10, generator=generator, dtype=torch.float64) for name in names}
    weights = torch.rand(target.shape, generator=generator, dtype=torch.float64)
    weights[:, :3] = 0
    return outputs, target, weights


def rows(outputs: dict[str, Tensor], part: slice) -> dict[str, Tensor]:
    return {name: logits[part] for name, logits in outputs.items()}


@each_criterion
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("epoch", [0, 1])
def test_parts_add_up_to_the_whole(name: str, arguments: dict[str, Any], weighted: bool, epoch: int) -> None:
    criterion = CriterionConfig(name, arguments, scale_weight=0.05).build()
    outputs, target, weights = example()
    parts = [slice(0, 1), slice(1, 3), slice(3, 5)]
    pixels = weights if weighted else None

    def counts(part: slice) -> Tensor:
        return criterion.counts(target[part], None if pixels is None else pixels[part])

    whole = counts(slice(None))
    assert whole.dtype == torch.float64
    assert whole.ndim == 1
    total = torch.stack([counts(part) for part in parts]).sum(0)
    if name != "relaxed" or arguments.get("class_weights") != "hist":
        assert torch.allclose(total, whole, rtol=1e-15, atol=0)
    else:
        assert torch.allclose(total, whole, rtol=1e-12)
    loss = criterion(outputs, target, None, pixels, epoch)
    losses = [
        criterion(rows(outputs, part), target[part], total, None if pixels is None else pixels[part], epoch)
        for part in parts
    ]
    assert loss.item() != 0
    assert sum(part.item() for part in losses) == pytest.approx(loss.item(), rel=1e-12)


@each_criterion
@settings(max_examples=8)
@given(order=st.permutations(range(5)), seed=st.integers(0, 99))
def test_order_of_images_does_not_matter(name: str, arguments: dict[str, Any], order: list[int], seed: int) -> None:
    outputs, target, weights = example(seed=seed)
    criterion = CriterionConfig(name, arguments).build()
    shuffled = {name: logits[order] for name, logits in outputs.items()}
    loss = criterion(outputs, target, None, weights)
    assert criterion(shuffled, target[order], None, weights[order]).item() == pytest.approx(loss.item(), rel=1e-9)


@each_criterion
def test_weights_of_one_change_nothing(name: str, arguments: dict[str, Any]) -> None:
    outputs, target, weights = example()
    criterion = CriterionConfig(name, arguments).build()
    loss = criterion(outputs, target, None, torch.ones_like(weights))
    assert loss.item() == pytest.approx(criterion(outputs, target).item(), rel=1e-12)


@each_criterion
def test_gradcheck(name: str, arguments: dict[str, Any]) -> None:
    outputs, target, weights = example(3, seed=4)
    term = make_term(name, arguments)
    logits = outputs["main"].requires_grad_()
    assert torch.autograd.gradcheck(lambda z: term(z, target, None, weights), logits, fast_mode=True, atol=1e-4)


@each_criterion
def test_nothing_valid_is_zero_with_a_graph(name: str, arguments: dict[str, Any]) -> None:
    outputs, target, weights = example()
    criterion = CriterionConfig(name, arguments, scale_weight=0.05).build()
    nothing = torch.full_like(target, 255)
    for labels, pixels in ((nothing, None), (nothing, weights), (target, torch.zeros_like(weights))):
        leaves = {key: logits.clone().requires_grad_() for key, logits in outputs.items()}
        loss = criterion(leaves, labels, None, pixels)
        loss.backward()
        assert loss.item() == 0
        assert all(leaves[key].grad is not None for key in ("main", "aux", "scale_0.5"))
        assert not any(leaf.grad.any() for leaf in leaves.values() if leaf.grad is not None)


@each_criterion
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(name: str, arguments: dict[str, Any], dtype: torch.dtype) -> None:
    outputs, target, _ = example()
    criterion = CriterionConfig(name, arguments).build()
    halves = {key: logits.to(dtype).requires_grad_() for key, logits in outputs.items()}
    loss = criterion(halves, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.equal(loss, criterion({key: logits.detach().float() for key, logits in halves.items()}, target))
    assert halves["main"].grad.dtype == dtype


@each_criterion
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_finite_at_extreme_logits(name: str, arguments: dict[str, Any], scale: float) -> None:
    outputs, target, _ = example()
    leaves = {key: (logits.sign() * scale).float().requires_grad_() for key, logits in outputs.items()}
    loss = CriterionConfig(name, arguments).build()(leaves, target)
    loss.backward()
    assert bool(loss.isfinite())
    assert bool(leaves["main"].grad.isfinite().all())


@each_criterion
def test_int64_targets_are_taken_too(name: str, arguments: dict[str, Any]) -> None:
    outputs, target, _ = example()
    criterion = CriterionConfig(name, arguments).build()
    assert torch.equal(criterion(outputs, target), criterion(outputs, target.long()))


def test_composition() -> None:
    outputs, target, weights = example()
    each = {name: cross_entropy(logits, target, None, weights).item() for name, logits in outputs.items()}
    default = CriterionConfig().build()(outputs, target, None, weights).item()
    assert default == pytest.approx(each["main"] + 0.4 * each["aux"])
    full = CriterionConfig(aux_weight=0.3, scale_weight=0.05).build()(outputs, target, None, weights).item()
    assert full == pytest.approx(each["main"] + 0.3 * each["aux"] + 0.05 * each["scale_0.5"])
    alone = CriterionConfig().build()({"main": outputs["main"]}, target, None, weights).item()
    assert alone == pytest.approx(each["main"])


def test_class_weights_reach_main_and_side_outputs() -> None:
    outputs, target, _ = example()
    by_class = torch.tensor([0.5, 2.0, 1.0])
    expected = cross_entropy(outputs["main"], target, by_class) + 0.4 * cross_entropy(outputs["aux"], target, by_class)
    for criterion in (
        CriterionConfig().build(by_class),
        CriterionConfig(arguments={"class_weights": [0.5, 2.0, 1.0]}).build(),
        CriterionConfig("relaxed", {"radius": 0}).build(by_class),
        CriterionConfig("ohem", {"share": 1.0}).build(by_class),
    ):
        if criterion.main.__class__.__name__ != "HardestPixels":
            assert criterion(outputs, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_label_smoothing_is_torch_s() -> None:
    outputs, target, _ = example()
    expected = torch.nn.functional.cross_entropy(outputs["main"], target.long(), ignore_index=255, label_smoothing=0.2)
    loss = make_term("cross_entropy", {"label_smoothing": 0.2})(outputs["main"], target)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", ["cross_entropy", "ohem", "image_weighted", "relaxed"])
def test_uniform_logits_cost_log_of_the_number_of_classes(name: str) -> None:
    target = torch.full((2, 9, 9), 4, dtype=torch.uint8)
    loss = make_term(name, {})(torch.zeros(2, 7, 9, 9), target)
    assert loss.item() == pytest.approx(math.log(7), rel=1e-6)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UserError, match=f"'focal' is unknown, expected one of {', '.join(CRITERIA)}"):
        CriterionConfig("focal")
    with pytest.raises(UserError, match="ohem has no setting 'top', expected some of share, class_weights"):
        CriterionConfig("ohem", {"top": 3})


@pytest.mark.parametrize("values", [{"aux_weight": -1}, {"scale_weight": "a"}, {"arguments": {"label_smoothing": 2}}])
def test_impossible_values(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="expected a number"):
        CriterionConfig(**values)


def test_class_balance_where_it_makes_no_sense() -> None:
    by_class = torch.ones(3)
    with pytest.raises(UserError, match="rmi takes no class weights"):
        CriterionConfig("rmi").build(by_class)
    with pytest.raises(UserError, match="expected one of them"):
        CriterionConfig("relaxed", {"class_weights": "hist"}).build(by_class)


def test_no_main_output() -> None:
    outputs, target, _ = example()
    with pytest.raises(ValueError, match="named main expected, got aux"):
        CriterionConfig().build()({"aux": outputs["aux"]}, target)


def test_settings_that_name_classes_are_held_to_their_number() -> None:
    with pytest.raises(UserError, match="expected 4 numbers, one for each class"):
        CriterionConfig("ohem", {"class_weights": [1, 1, 1]}).build(num_classes=4)
    with pytest.raises(UserError, match=r"strict_classes is \[3\], expected train ids of 0..2"):
        CriterionConfig("relaxed", {"strict_classes": [3]}).build(num_classes=3)
    CriterionConfig("relaxed", {"strict_classes": [3], "class_weights": "hist"}).build(num_classes=4)
