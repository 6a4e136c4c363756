from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.losses.panoptic_targets import PanopticTargets, panoptic_targets

THINGS = (2, 3)


def by_loops(
    label: np.ndarray, number: np.ndarray, things: Sequence[int], sigma: float, small_area: int, small_weight: float
) -> dict[str, np.ndarray]:
    """The targets of one image from their definition, an instance and a pixel at a time."""
    height, width = label.shape
    single = np.isin(label, things) & (number > 0)
    weight, heat = np.ones((height, width)), np.zeros((height, width))
    offset = np.zeros((2, height, width))
    for train_id, n in {(int(label[y, x]), int(number[y, x])) for y, x in np.argwhere(single)}:
        pixels = np.argwhere(single & (label == train_id) & (number == n))
        cy, cx = pixels.mean(0)
        if len(pixels) < small_area:
            weight[pixels[:, 0], pixels[:, 1]] = small_weight
        for y, x in pixels:
            offset[:, y, x] = cy - y, cx - x
        row, column = math.floor(cy + 0.5), math.floor(cx + 0.5)
        for y in range(height):
            for x in range(width):
                if max(abs(y - row), abs(x - column)) <= 3 * sigma + 1:
                    heat[y, x] = max(heat[y, x], math.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2)))
    counts = (label != 255) & ~(np.isin(label, things) & (number == 0))
    return {
        "label_weight": weight,
        "centre": heat[None],
        "centre_mask": counts[None],
        "offset": offset,
        "offset_mask": single[None],
    }


def targets(label: np.ndarray, number: np.ndarray, **options: float) -> PanopticTargets:
    return panoptic_targets(torch.from_numpy(label), torch.from_numpy(number), THINGS, **options)


def check(label: np.ndarray, number: np.ndarray, sigma: float = 8.0, small_area: int = 4096) -> PanopticTargets:
    """Batches [B, H, W] against the loops, image by image."""
    result = targets(label, number, sigma=sigma, small_area=small_area)
    for index in range(len(label)):
        expected = by_loops(label[index], number[index], THINGS, sigma, small_area, 3.0)
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(result, name)[index].numpy(), values, atol=2e-5, err_msg=name)
    return result


labels = hnp.arrays(np.uint8, (2, 9, 13), elements=st.sampled_from([0, 1, 2, 3, 255]))
numbers = hnp.arrays(np.uint16, (2, 9, 13), elements=st.sampled_from([0, 1, 2, 65535]))


@given(labels, numbers, st.sampled_from([0.5, 1.0, 8.0]), st.sampled_from([0, 3, 20]))
def test_targets_are_those_of_the_definition(label: np.ndarray, number: np.ndarray, sigma: float, area: int) -> None:
    check(label, number, sigma, area)


def boxes(count: int, size: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping boxes of the things, at most ``size``, over stuff with void: [1, H, W] each."""
    rng = np.random.default_rng(seed)
    label = rng.choice(np.array([0, 1, 255], np.uint8), (1, *size))
    number = np.zeros((1, *size), np.int32)
    for n in range(count):
        top, left = (int(rng.integers(0, side)) for side in size)
        bottom, right = top + int(rng.integers(1, 40)), left + int(rng.integers(1, 40))
        label[0, top:bottom, left:right] = THINGS[n % 2]
        number[0, top:bottom, left:right] = n // 2
    return label, number


def test_boxes_with_a_crowd_each() -> None:
    label, number = boxes(14, (70, 90))
    result = check(label, number, 8.0, 300)
    assert result.label_weight.unique().tolist() == [1.0, 3.0]
    assert not result.centre_mask[torch.from_numpy((number == 0) & (label == 2))[:, None]].any()


def test_by_hand() -> None:
    label = np.array([[[2, 2, 0], [2, 2, 255], [3, 2, 2]]], np.uint8)
    number = np.array([[[1, 1, 7], [1, 1, 0], [1, 0, 5]]], np.int64)
    result = targets(label, number, sigma=1.0, small_area=4, small_weight=2.0)
    assert result.offset[0, 0].tolist() == [[0.5, 0.5, 0], [-0.5, -0.5, 0], [0, 0, 0]]
    assert result.offset[0, 1].tolist() == [[0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0, 0]]
    assert result.label_weight[0].tolist() == [[1, 1, 1], [1, 1, 1], [2, 1, 2]]
    assert result.offset_mask[0, 0].tolist() == [[True, True, False], [True, True, False], [True, False, True]]
    assert result.centre_mask[0, 0].tolist() == [[True, True, True], [True, True, False], [True, False, True]]
    peaks = (result.centre[0, 0] == 1).nonzero().tolist()
    assert peaks == [[1, 1], [2, 0], [2, 2]]  # half a pixel is rounded up
    assert torch.equal(result.label, torch.from_numpy(label))


def test_window_of_51_pixels() -> None:
    label, number = np.zeros((1, 101, 101), np.uint8), np.zeros((1, 101, 101), np.uint16)
    label[0, 50, 50], number[0, 50, 50] = 2, 1
    heat = targets(label, number).centre[0, 0]
    rows, columns = (heat > 0).nonzero().aminmax(dim=0)
    assert rows.tolist() == [25, 25] and columns.tolist() == [75, 75]
    assert heat[50, 58].item() == pytest.approx(math.exp(-0.5))


def test_two_images_of_a_batch_share_nothing() -> None:
    label, number = (np.concatenate(parts) for parts in zip(boxes(9, (40, 50)), boxes(5, (40, 50), 1), strict=True))
    both = check(label, number)
    for index in range(2):
        alone = targets(label[index : index + 1], number[index : index + 1])
        assert torch.equal(alone.centre[0], both.centre[index]) and torch.equal(alone.offset[0], both.offset[index])


def test_instances_of_one_pixel_point_at_themselves() -> None:
    label, number = np.full((1, 4, 5), 2, np.uint8), np.arange(1, 21, dtype=np.uint16).reshape(1, 4, 5)
    result = check(label, number)
    assert not result.offset.any() and (result.centre == 1).all() and (result.label_weight == 3).all()


def test_more_than_a_thousand_instances_of_a_class() -> None:
    number = np.arange(40 * 50).reshape(1, 40, 50).repeat(2, 1).repeat(2, 2).astype(np.uint16)
    result = targets(np.full((1, 80, 100), 3, np.uint8), number, sigma=0.5)
    assert torch.equal(result.offset_mask[0, 0], torch.from_numpy(number[0] > 0))
    inside = result.offset[0][:, 2:, 2:].abs()
    assert (inside == 0.5).all()
    assert int((result.centre == 1).sum()) == 1999


@pytest.mark.parametrize("value", [0, 255, 2])
def test_images_without_an_instance(value: int) -> None:
    label, number = np.full((2, 6, 7), value, np.uint8), np.zeros((2, 6, 7), np.uint16)
    result = targets(label, number)
    assert not result.centre.any() and not result.offset.any() and not result.offset_mask.any()
    assert result.centre_mask.all() if value == 0 else not result.centre_mask.any()
    assert (result.label_weight == 1).all()


def test_a_space_without_things() -> None:
    label = torch.zeros(1, 4, 4, dtype=torch.uint8)
    result = panoptic_targets(label, torch.ones(1, 4, 4, dtype=torch.int32), ())
    assert result.centre_mask.all() and not result.offset_mask.any()


def test_area_is_that_of_what_is_given() -> None:
    label, number = np.full((1, 80, 80), 2, np.uint8), np.ones((1, 80, 80), np.uint16)
    assert targets(label, number).label_weight.unique().tolist() == [1.0]
    assert targets(label[:, :63, :65], number[:, :63, :65]).label_weight.unique().tolist() == [3.0]
    assert targets(label[:, :64, :64], number[:, :64, :64]).label_weight.unique().tolist() == [1.0]


def test_what_does_not_fit() -> None:
    label = torch.zeros(1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"\[B,H,W\] expected, got \(1, 4, 4\) and \(4, 4\)"):
        panoptic_targets(label, label[0], THINGS)
    for wrong in (-1, 65536):
        with pytest.raises(ValueError, match=r"of 0\.\.65535 expected, got"):
            panoptic_targets(label, torch.full((1, 4, 4), wrong), THINGS)


def test_images_whose_instances_are_not_known_count_for_classes_alone() -> None:
    label = np.full((2, 4, 5), 2, np.uint8)
    label[:, 0] = 0
    number = np.ones((2, 4, 5), np.int32)
    known = torch.tensor([True, False])
    result = panoptic_targets(torch.from_numpy(label), torch.from_numpy(number), THINGS, sigma=1.0, known=known)
    alone = targets(label[:1], number[:1], sigma=1.0)
    for name in ("label_weight", "centre", "centre_mask", "offset", "offset_mask"):
        assert torch.equal(getattr(result, name)[:1], getattr(alone, name)), name
        assert not getattr(result, name)[1].count_nonzero() or name == "label_weight"
    assert (result.label_weight[1] == 1).all()
    with pytest.raises(ValueError, match=r"known \[2\] expected"):
        panoptic_targets(torch.from_numpy(label), torch.from_numpy(number), THINGS, known=known[:1])
