from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.training.images.augmentation import AugmentationConfig, View, random_view
from seglift.training.images.sample import Sample

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
    view = random_view(painted(), (60, 80), replace(GEOMETRY, scale=(1.0, 1.0), flip=0.0), np.random.default_rng(0))
    assert torch.equal(view.image, torch.from_numpy(painted().image).permute(2, 0, 1) / 255)


def numbered(height: int = 60, width: int = 80) -> Sample:
    """Labels count the rows, weights the columns; red grows with the columns and green with the rows."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([3 * columns, 4 * rows, np.zeros_like(rows)], -1).astype(np.uint8)
    return Sample(image, rows.astype(np.uint8), columns.astype(np.float32))


def pixels_shown(view: View, height: int = 60, width: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Column and row in the sample that the view's places tell."""
    return (view.places[0] + 1) / 2 * (width - 1), (view.places[1] + 1) / 2 * (height - 1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_places_are_those_of_the_pixels_shown(seed: int, flip: float) -> None:
    config = AugmentationConfig(scale=(0.6, 1.8), aspect=0.3, flip=flip, jitter=0, blur=None)
    view = random_view(numbered(), (48, 56), config, np.random.default_rng(seed))
    columns, rows = pixels_shown(view)
    known = view.label != 255
    assert known.float().mean() > 0.3
    # The pixel nearest was taken for labels and weights: half a pixel away at most.
    assert (columns - view.weight)[known].abs().max() <= 0.501
    assert (rows - view.label)[known].abs().max() <= 0.501
    assert (columns.diff(dim=1) < 0 if flip else columns.diff(dim=1) > 0).all()
    inner = torch.nn.functional.max_pool2d((~known).float()[None], 9, 1, 4)[0] == 0
    inner[:4], inner[-4:], inner[:, :4], inner[:, -4:] = False, False, False, False
    assert (view.image[0] * 255 / 3 - columns)[inner].abs().max() < 0.5
    assert (view.image[1] * 255 / 4 - rows)[inner].abs().max() < 0.5


def test_a_mirrored_view_has_mirrored_places() -> None:
    views = [
        random_view(
            numbered(),
            (32, 40),
            AugmentationConfig(aspect=0.2, flip=flip, jitter=0, blur=None),
            np.random.default_rng(5),
        )
        for flip in (0.0, 1.0)
    ]
    assert torch.equal(views[0].places.flip(-1), views[1].places)
    assert torch.equal(views[0].image.flip(-1), views[1].image)
    assert torch.equal(views[0].label.flip(-1), views[1].label)


def test_the_whole_image_lies_from_minus_1_to_1() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), flip=0.0, jitter=0, blur=None)
    places = random_view(numbered(), (60, 80), config, np.random.default_rng(0)).places
    assert torch.allclose(places[0, 7], torch.linspace(-1, 1, 80), atol=1e-6)
    assert torch.allclose(places[1, :, 7], torch.linspace(-1, 1, 60), atol=1e-6)


def test_aspect_stretches_within_its_range_and_keeps_the_area() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), aspect=0.2, flip=0.0, jitter=0, blur=None)
    ratios = []
    for seed in range(60):
        columns, rows = pixels_shown(random_view(numbered(), (50, 50), config, np.random.default_rng(seed)))
        across, down = float(columns[0, 1] - columns[0, 0]), float(rows[1, 0] - rows[0, 0])
        assert across * down == pytest.approx(1.0, abs=0.03)
        ratios.append(down / across)
    assert 0.8 - 0.03 <= min(ratios) < 0.87
    assert 1.13 < max(ratios) <= 1.2 + 0.03


def test_without_aspect_both_directions_have_one_scale() -> None:
    config = AugmentationConfig(scale=(0.5, 2.0), flip=0.0, jitter=0, blur=None)
    for seed in range(20):
        columns, rows = pixels_shown(random_view(numbered(), (50, 50), config, np.random.default_rng(seed)))
        assert float(columns[0, 1] - columns[0, 0]) == pytest.approx(float(rows[1, 0] - rows[0, 0]), rel=1e-4)


@pytest.mark.parametrize(("hue", "limit"), [(0.0, 0.0), (0.05, 0.05), (None, 0.3)])
def test_hue_has_a_strength_of_its_own(hue: float | None, limit: float) -> None:
    image = np.full((6, 6, 3), (204, 77, 77), np.uint8)
    sample, before = Sample(image, image[..., 0]), torch.from_numpy(image).permute(2, 0, 1) / 255
    config = AugmentationConfig(scale=(1.0, 1.0), flip=0.0, jitter=0.3, hue=hue, blur=None)
    turned = []
    for seed in range(40):
        changed = random_view(sample, (6, 6), config, np.random.default_rng(seed)).image
        angle = colorsys.rgb_to_hsv(*changed[:, 2, 2].tolist())[0]
        turned.append(min(angle, 1 - angle))
        assert not torch.allclose(changed, before, atol=1e-3)
    assert max(turned) <= limit + 0.01
    assert max(turned) >= 0.8 * limit


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("size", [(60, 80), (30, 40), (90, 100)])
def test_views_share_no_memory_with_the_sample(size: tuple[int, int], flip: float) -> None:
    sample = numbered()
    config = AugmentationConfig(scale=(1.0, 1.0), flip=flip, jitter=0, blur=None)
    view = random_view(sample, size, config, np.random.default_rng(0))
    for part in (view.image, view.label, view.weight, view.places):
        assert part.is_contiguous()
        part.zero_()
    assert np.array_equal(sample.image, numbered().image)
    assert np.array_equal(sample.label, numbered().label)
    assert np.array_equal(sample.weight, numbered().weight)


def test_every_place_that_shows_the_point_is_equally_likely() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), flip=0.0, jitter=0, blur=None)
    firsts = []
    for seed in range(600):
        view = random_view(numbered(), (20, 20), config, np.random.default_rng(seed), (30, 5))
        firsts.append((int(view.label[0, 0]), int(view.weight[0, 0])))
    rows, columns = np.array(firsts).T
    # 20 rows and 6 columns (the image ends left of the others) are possible; 100 expected for each column.
    assert set(rows.tolist()) == set(range(11, 31))
    assert set(columns.tolist()) == set(range(6))
    assert all(60 < count < 140 for count in np.bincount(columns))


def test_a_point_in_an_image_smaller_than_the_crop_changes_nothing() -> None:
    config = AugmentationConfig(scale=(1.0, 1.0), flip=0.0, jitter=0, blur=None)
    view = random_view(numbered(), (80, 100), config, np.random.default_rng(0), (59, 79))
    assert np.array_equal(view.label[10:70, 10:90].numpy(), numbered().label)
    assert view.label[:10].eq(255).all()


def test_reduced_labels_take_the_pixel_nearest() -> None:
    config = AugmentationConfig(scale=(0.5, 0.5), flip=0.0, jitter=0, blur=None)
    view = random_view(numbered(), (30, 40), config, np.random.default_rng(0))
    # Centres lie between two pixels; floor(x + 0.5) takes the later one.
    assert view.label[:, 0].tolist() == list(range(1, 60, 2))
    assert view.weight[0].tolist() == list(range(1, 80, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": (2.0, 0.5)}, "scale is"),
        ({"scale": (0.0, 0.5)}, "scale is"),
        ({"aspect": 1.0}, "aspect is 1.0"),
        ({"flip": 1.5}, "flip is 1.5"),
        ({"jitter": -0.1}, "jitter is -0.1"),
        ({"hue": 0.7}, "hue is 0.7"),
        ({"blur": (0.0, 1.0)}, "blur is"),
    ],
)
def test_impossible_values(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AugmentationConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_instances_move_with_the_labels(seed: int) -> None:
    sample = painted()
    numbers = np.where(sample.label == 2, np.uint16(700), sample.label)
    size = (70, 90) if seed % 2 else (40, 50)  # some crops reach outside
    view = random_view(replace(sample, instances=numbers), size, GEOMETRY, np.random.default_rng(seed))
    assert view.instances is not None and view.instances.dtype == torch.int32
    label = view.label.int()
    expected = torch.where(label == 2, 700, torch.where(label == 255, 0, label))
    assert torch.equal(view.instances, expected.int())
    plain = random_view(sample, size, GEOMETRY, np.random.default_rng(seed))
    assert plain.instances is None
    assert torch.equal(plain.image, view.image)
