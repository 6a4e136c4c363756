from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from seglift.losses.neighbours import NeighbourSets, neighbour_sets


def written_out(sets: NeighbourSets, classes: int) -> np.ndarray:
    """Every pixel's set as bool [B, H, W, C]."""
    target = sets.target.numpy()
    whole = np.zeros((*target.shape, classes), bool)
    for place in np.ndindex(target.shape):
        if target[place] != 255:
            whole[place][target[place]] = True
    flat = whole.reshape(-1, classes)
    flat[sets.boundary.numpy()] = sets.allowed.numpy().T
    return whole


def by_loops(target: np.ndarray, classes: int, radius: int, void_center: str, strict: list[int]) -> np.ndarray:
    """The same from the definition, pixel by pixel."""
    whole = np.zeros((*target.shape, classes), bool)
    for image, row, column in np.ndindex(target.shape):
        own = target[image, row, column]
        rows = slice(max(0, row - radius), row + radius + 1)
        columns = slice(max(0, column - radius), column + radius + 1)
        shown = {own} if own in strict else set(target[image, rows, columns].ravel())
        if own != 255 or (void_center == "reference" and radius > 0):
            whole[image, row, column][[one for one in shown if one != 255]] = True
    return whole


labels = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.sampled_from([0, 1, 2, 3, 255])
)


@settings(max_examples=60)
@given(labels, st.integers(0, 4), st.sampled_from(["ignore", "reference"]), st.sampled_from([[], [1], [0, 3]]))
def test_sets_are_those_of_the_definition(target: np.ndarray, radius: int, void: str, strict: list[int]) -> None:
    sets = neighbour_sets(torch.from_numpy(target), 4, radius, void, strict)
    assert np.array_equal(written_out(sets, 4), by_loops(target, 4, radius, void, strict))
    assert bool((sets.allowed.sum(0) > 1).all())
    assert bool((sets.boundary.diff() > 0).all())


@pytest.mark.parametrize("classes", [1, 63, 64, 65, 128, 255])
def test_any_number_of_classes(classes: int) -> None:
    target = np.random.default_rng(classes).integers(0, classes, (1, 8, 9)).astype(np.uint8)
    target[0, 0, 0], target[0, 0, 1], target[0, 4, 4] = classes - 1, 0, 255
    sets = neighbour_sets(torch.from_numpy(target), classes, 1)
    assert sets.allowed.shape == (classes, len(sets.boundary))
    assert np.array_equal(written_out(sets, classes), by_loops(target, classes, 1, "ignore", []))


def test_int64_is_taken_as_uint8() -> None:
    target = torch.tensor([[[0, 0, 0, 1, 255, 2]]])
    first, second = neighbour_sets(target, 3), neighbour_sets(target.to(torch.uint8), 3)
    assert torch.equal(first.boundary, second.boundary)
    assert first.boundary.tolist() == [2, 3]
    assert torch.equal(first.allowed, second.allowed)


def test_windows_do_not_reach_into_the_next_image() -> None:
    target = torch.zeros(2, 4, 4, dtype=torch.uint8)
    target[1] = 1
    assert len(neighbour_sets(target, 2, 2).boundary) == 0


@pytest.mark.parametrize("target", [torch.tensor([[[0, 3]]]), torch.tensor([[[254, 255]]])])
def test_a_class_that_does_not_exist_is_refused(target: Tensor) -> None:
    with pytest.raises(ValueError, match=r"targets of 0..2 or 255 expected, got"):
        neighbour_sets(target.to(torch.uint8), 3)
