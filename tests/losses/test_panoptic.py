from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.losses.ohem import hardest_cross_entropy
from seglift.losses.panoptic import TERMS, PanopticCriterion, PanopticLossConfig, centre_loss, offset_loss
from seglift.losses.panoptic_targets import PanopticTargets
from seglift.models.panoptic_output import PanopticOutput

THINGS = (2, 3)
CONFIG = PanopticLossConfig(sigma=1.0, small_area=6)


def example(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[PanopticOutput, PanopticTargets, torch.Tensor]:
    """Output, targets and pixel weights of three images: with instances, with crowds alone, and of void."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 4, (3, 6, 7), generator=generator).to(torch.uint8)
    label[:2, 1] = 255
    number = torch.randint(0, 3, (3, 6, 7), generator=generator)
    number[1] = 0
    label[2] = 255
    maps = [torch.randn(3, channels, 6, 7, generator=generator, dtype=dtype) for channels in (4, 1, 2)]
    weights = torch.rand(3, 6, 7, generator=generator)
    weights[:, 0] = 0
    return PanopticOutput(*maps), CONFIG.targets(label, number, THINGS), weights


def test_terms_by_loops() -> None:
    output, targets, weights = example()
    squared, absolute, counts = 0.0, 0.0, [0.0, 0.0]
    for b, y, x in np.ndindex(3, 6, 7):
        w = weights[b, y, x].item()
        if targets.centre_mask[b, 0, y, x]:
            squared += w * (output.centre[b, 0, y, x] - targets.centre[b, 0, y, x]).item() ** 2
            counts[0] += w
        if targets.offset_mask[b, 0, y, x]:
            absolute += w * sum(abs((output.offset - targets.offset)[b, axis, y, x].item()) for axis in range(2)) / 2
            counts[1] += w
    terms = PanopticCriterion(CONFIG).terms(output, targets, None, weights)
    assert tuple(terms) == TERMS
    assert terms["centre"].item() == pytest.approx(200 * squared / counts[0])
    assert terms["offset"].item() == pytest.approx(0.01 * absolute / counts[1])
    hardest = hardest_cross_entropy(output.semantic, targets.label, 0.2, None, targets.label_weight * weights)
    assert terms["semantic"].item() == pytest.approx(hardest.item())
    assert PanopticCriterion(CONFIG)(output, targets, None, weights).item() == pytest.approx(sum(terms.values()).item())


def test_void_and_crowds_count_for_neither_heatmap_nor_offsets() -> None:
    output, targets, _ = example()
    elsewhere = [
        ~mask.expand_as(m) for mask, m in ((targets.centre_mask, output.centre), (targets.offset_mask, output.offset))
    ]
    other = PanopticOutput(output.semantic, output.centre + elsewhere[0] * 5, output.offset - elsewhere[1] * 1e6)
    criterion = PanopticCriterion(CONFIG)
    assert torch.equal(criterion(output, targets), criterion(other, targets))


def test_weight_one_is_no_weight() -> None:
    output, targets, weights = example()
    criterion = PanopticCriterion(CONFIG)
    assert criterion(output, targets, None, torch.ones_like(weights)).item() == pytest.approx(
        criterion(output, targets).item()
    )


def test_switches() -> None:
    output, targets, _ = example()
    plain = PanopticLossConfig(share=1.0, small_weight=1.0, sigma=1.0)
    number = targets.offset_mask[:, 0].int()
    loss = PanopticCriterion(plain).terms(output, plain.targets(targets.label, number, THINGS))["semantic"]
    expected = torch.nn.functional.cross_entropy(output.semantic, targets.label.long(), ignore_index=255)
    assert loss.item() == pytest.approx(expected.item())
    off = PanopticCriterion(PanopticLossConfig(semantic=0, centre=0, offset=3.0))
    assert off(output, targets).item() == pytest.approx(3 * offset_loss(output.offset, targets).item())


def part(output: PanopticOutput, targets: PanopticTargets, b: int) -> tuple[PanopticOutput, PanopticTargets]:
    one = slice(b, b + 1)
    names = ("label", "label_weight", "centre", "centre_mask", "offset", "offset_mask")
    return (
        PanopticOutput(output.semantic[one], output.centre[one], output.offset[one]),
        PanopticTargets(*(getattr(targets, name)[one] for name in names)),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_add_up_to_the_whole(weighted: bool) -> None:
    output, targets, every = example()
    criterion, weights = PanopticCriterion(CONFIG), every if weighted else None
    parts = [(*part(output, targets, b), None if weights is None else weights[b : b + 1]) for b in range(3)]
    counts = sum(criterion.counts(t, w) for _, t, w in parts)
    assert torch.allclose(counts, criterion.counts(targets, weights))
    total = sum(criterion(o, t, counts, w) for o, t, w in parts)
    assert total.item() == pytest.approx(criterion(output, targets, None, weights).item())


def test_gradcheck() -> None:
    output, targets, weights = example()
    maps = [m.requires_grad_() for m in (output.semantic, output.centre, output.offset)]
    criterion = PanopticCriterion(CONFIG)
    loss = lambda *maps: criterion(PanopticOutput(*maps), targets, None, weights)  # noqa: E731
    assert torch.autograd.gradcheck(loss, maps, fast_mode=True)


@pytest.mark.parametrize("image", [1, 2])
def test_images_without_instances_or_of_void_alone(image: int) -> None:
    """The second has crowds and stuff, the third nothing."""
    output, targets = part(*example()[:2], image)
    maps = [m.clone().requires_grad_() for m in (output.semantic, output.centre, output.offset)]
    terms = PanopticCriterion(CONFIG).terms(PanopticOutput(*maps), targets)
    sum(terms.values()).backward()
    assert terms["offset"].item() == 0
    assert (terms["semantic"].item() > 0, terms["centre"].item() > 0) == (image == 1,) * 2
    assert all(m.grad is not None and m.grad.isfinite().all() for m in maps)
    assert not maps[2].grad.any()


def test_perfect_output_costs_nothing() -> None:
    output, targets, _ = example()
    exact = PanopticOutput(output.semantic, targets.centre, targets.offset)
    assert centre_loss(exact.centre, targets).item() == offset_loss(exact.offset, targets).item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    output, targets, _ = example(dtype)
    loss = PanopticCriterion(CONFIG)(output, targets)
    wide = PanopticOutput(output.semantic.float(), output.centre.float(), output.offset.float())
    assert loss.dtype == torch.float32
    assert torch.equal(loss, PanopticCriterion(CONFIG)(wide, targets))


def test_what_does_not_fit() -> None:
    output, targets, _ = example()
    with pytest.raises(ValueError, match=r"heatmap \[B,1,H,W\] of shape \(3, 1, 6, 7\) expected, got \(3, 2, 6, 7\)"):
        centre_loss(output.offset, targets)
    with pytest.raises(ValueError, match=r"offsets \[B,2,H,W\]"):
        offset_loss(output.centre, targets)


@pytest.mark.parametrize(
    "values",
    [{"centre": -1}, {"share": 0}, {"share": 1.5}, {"small_weight": None}, {"small_area": -1}, {"sigma": 0}],
)
def test_impossible_values(values: dict[str, float]) -> None:
    (name,) = values
    with pytest.raises(UserError, match=rf"{name} is .*, expected a number"):
        PanopticLossConfig(**values)


def test_class_weights_multiply_the_cross_entropy_alone() -> None:
    output, targets, _ = example()
    weights = [1.0, 2.0, 0.5, 3.0]
    terms, plain = (
        PanopticCriterion(CONFIG, weights).terms(output, targets),
        PanopticCriterion(CONFIG).terms(output, targets),
    )
    expected = hardest_cross_entropy(output.semantic, targets.label, 0.2, weights, targets.label_weight)
    assert terms["semantic"].item() == pytest.approx(expected.item())
    assert all(torch.equal(terms[name], plain[name]) for name in ("centre", "offset"))
