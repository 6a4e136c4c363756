from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglift.base.errors import UserError
from seglift.training.crossmix import CrossMix, choose_classes, paste_classes
from seglift.training.images.augmentation import View

LABELS = arrays(np.uint8, (4, 6), elements=st.sampled_from([0, 1, 2, 254, 255]))


def view(label: np.ndarray, value: float, weight: float = 1.0) -> View:
    places = torch.full((2, *label.shape), value)
    return View(torch.full((3, *label.shape), value), torch.from_numpy(label), torch.full(label.shape, weight), places)


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


@given(LABELS, st.integers(0, 50), st.sampled_from([0.0, 0.5, 1.0]))
def test_chosen_classes_are_present_and_never_void(label: np.ndarray, seed: int, probability: float) -> None:
    present = sorted(set(label.ravel().tolist()) - {255})
    chosen = choose_classes(torch.from_numpy(label), np.random.default_rng(seed), probability).tolist()
    assert set(chosen) <= set(present) and chosen == sorted(set(chosen))
    assert (len(chosen) > 0) == (len(present) > 0)
    if probability == 1:
        assert chosen == present
    if probability == 0:
        assert len(chosen) == min(1, len(present))


def test_each_class_is_chosen_half_of_the_time() -> None:
    label, generator = torch.arange(10, dtype=torch.uint8)[None], np.random.default_rng(0)
    drawn = [choose_classes(label, generator) for _ in range(4000)]
    shares = np.bincount(np.concatenate(drawn), minlength=10) / len(drawn)
    np.testing.assert_allclose(shares, 0.5, atol=0.03)
    assert len({len(chosen) for chosen in drawn}) > 5  # not always half of them


def test_pasting_by_hand() -> None:
    real = view(row(5, 255, 6, 255), 0.25, weight=0.5)
    mixed = paste_classes(real, view(row(0, 1, 255, 1), 0.75), np.array([1], np.uint8))
    assert mixed.label.tolist() == [[5, 1, 6, 1]]
    assert mixed.image.tolist() == [[[0.25, 0.75, 0.25, 0.75]]] * 3
    assert mixed.weight.tolist() == [[0.5, 1, 0.5, 1]]
    assert torch.equal(mixed.places, real.places)
    assert real.label.tolist() == [[5, 255, 6, 255]]


@given(LABELS, LABELS, st.integers(0, 20))
def test_what_is_not_pasted_stays(real: np.ndarray, synthetic: np.ndarray, seed: int) -> None:
    chosen = choose_classes(torch.from_numpy(synthetic), np.random.default_rng(seed))
    mixed = paste_classes(view(real, 0.0), view(synthetic, 1.0), chosen)
    pasted = np.isin(synthetic, chosen)
    np.testing.assert_array_equal(mixed.label.numpy(), np.where(pasted, synthetic, real))
    np.testing.assert_array_equal(mixed.image[0].numpy() == 1, pasted)


def test_mixed_views_have_no_objects() -> None:
    numbers = torch.ones(1, 4, dtype=torch.int32)
    real, synthetic = (replace(view(row(0, 0, 1, 1), 0.0), instances=numbers) for _ in range(2))
    assert paste_classes(real, synthetic, np.array([1], np.uint8)).instances is None


def test_views_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        paste_classes(view(row(0), 0.0), view(row(0, 1), 0.0), np.array([0], np.uint8))


def generators(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(number) for number in range(count)]


@pytest.mark.parametrize("replaced", [False, True])
def test_real_views_of_a_batch_are_mixed_and_the_pure_ones_told(replaced: bool) -> None:
    views = [view(row(7, 255), 0.0), view(row(8, 8), 0.1), view(row(9, 255), 0.2)]
    mix = CrossMix(probability=1, class_probability=1, replace=replaced)
    batch, pure = mix(views, [False, True, False], lambda generator: view(row(255, 1), 0.9), generators(3))
    labels = [one.label.tolist() for one in batch]
    if replaced:
        assert labels == [[[7, 1]], [[8, 8]], [[9, 1]]] and pure == [False, True, False]
    else:
        assert batch[:3] == views and labels[3:] == [[[7, 1]], [[9, 1]]]
        assert pure == [False, True, False, False, False]


def test_half_of_the_real_views_are_mixed() -> None:
    views = [view(row(0, 1), 0.0)] * 1000
    batch, pure = CrossMix()(views, [False] * 1000, lambda generator: view(row(2, 2), 1.0), generators(1000))
    assert 1450 < len(batch) < 1550 and not any(pure)
    again, _ = CrossMix()(views, [False] * 1000, lambda generator: view(row(2, 2), 1.0), generators(1000))
    assert len(again) == len(batch)
    none, _ = CrossMix(probability=0)(views, [False] * 1000, lambda generator: views[0], generators(1000))
    assert none == views


@pytest.mark.parametrize("name", ["probability", "class_probability"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_impossible_settings(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"^{name} is"):
        CrossMix(**{name: value})  # type: ignore[arg-type]
