from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.training.augmentation import AugmentationConfig, change_colors, random_view
from seglift.training.sample import Sample

COLORS = np.array([[250, 10, 10], [10, 240, 20], [20, 30, 230], [240, 230, 40]], np.uint8)
GEOMETRY = AugmentationConfig(jitter=0, blur=None)


def painted(height: int = 60, width: int = 80, block: int = 20) -> Sample:
    """Blocks of classes, painted in the image in the colours of the classes; weights count the columns."""
    rows, columns = np.mgrid[:height, :width] // block
    label = ((rows * 3 + columns) % 4).astype(np.uint8)
    weight = np.tile(np.arange(width, dtype=np.float32), (height, 1))
    return Sample(COLORS[label], label, weight)


@pytest.mark.parametrize("seed", range(12))
def test_image_and_label_stay_aligned(seed: int) -> None:
    view = random_view(painted(), (48, 56), GEOMETRY, np.random.default_rng(seed))
    colors = view.image.permute(1, 2, 0).numpy()[:, :, None] * 255
    nearest = np.abs(colors - COLORS.astype(np.float32)).sum(-1).argmin(-1)
    label = view.label.numpy()
    known = label != 255
    edge = np.zeros_like(known)
    edge[1:] |= label[1:] != label[:-1]
    edge[:-1] |= label[1:] != label[:-1]
    edge[:, 1:] |= label[:, 1:] != label[:, :-1]
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    inner = known & ~edge
    assert inner.mean() > 0.2
    # Away from class edges every colour belongs to its label: a shift by one pixel would break this at every edge.
    assert (nearest == label)[inner].mean() > 0.995
    assert (nearest == label)[known].mean() > 0.93


def test_weights_move_with_the_labels_and_are_0_outside() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), flip=1.0, jitter=0, blur=None)
    sample = painted()
    view = random_view(sample, (60, 100), config, np.random.default_rng(0))
    assert view.label[:, :10].eq(255).all()
    assert view.label[:, 90:].eq(255).all()
    assert view.weight[:, :10].eq(0).all()
    assert np.array_equal(view.label[:, 10:90].numpy(), sample.label[:, ::-1])
    assert view.weight[0, 10:90].tolist() == list(range(79, -1, -1))
    outside = view.image[:, 0, 0] * 255
    assert torch.allclose(outside, torch.tensor([124.0, 116.0, 104.0]), atol=0.51)


def test_equal_seeds_give_equal_views() -> None:
    config = AugmentationConfig()
    torch.manual_seed(1)
    first = random_view(painted(), (32, 32), config, np.random.default_rng(7))
    torch.manual_seed(2)
    second = random_view(painted(), (32, 32), config, np.random.default_rng(7))
    other = random_view(painted(), (32, 32), config, np.random.default_rng(8))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.label, second.label)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("point", [(0, 0), (59, 79), (30, 2), (10, 70)])
def test_the_crop_shows_the_point_asked_for(point: tuple[int, int]) -> None:
    label = np.zeros((60, 80), np.uint8)
    label[point] = 3
    sample = Sample(np.zeros((60, 80, 3), np.uint8), label)
    config = AugmentationConfig(scale=(1.0, 2.0), jitter=0, blur=None)
    for seed in range(20):
        view = random_view(sample, (24, 24), config, np.random.default_rng(seed), point)
        assert (view.label == 3).any()


def test_colors_stay_in_range_and_labels_as_they_were() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), flip=0.0, jitter=0.9, blur=(0.5, 1.0))
    view = random_view(painted(), (60, 80), config, np.random.default_rng(3))
    assert view.image.min() >= 0
    assert view.image.max() <= 1
    assert np.array_equal(view.label.numpy(), painted().label)


def test_jitter_off_changes_nothing() -> None:
    image = torch.rand(3, 8, 8)
    assert torch.equal(change_colors(image, GEOMETRY, np.random.default_rng(0)), image)
