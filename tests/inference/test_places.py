"""Models that want to know where a pixel lies are told right, also in mirrored views and in tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seglift.inference.checkpoint import CheckpointModel
from seglift.inference.class_mapping import ClassMapping
from seglift.inference.predict import Predictor
from seglift.inference.settings import InferenceSettings
from seglift.models.compact import CompactDeepLab
from seglift.models.compact_unet import CompactUNet, image_places
from seglift.models.network import SegmentationNetwork


class Places:
    """Answers with the x and y that it was told, and with the red of what it sees."""

    space_classes = ("x", "y", "red")
    wants_places = True

    def __init__(self, short_side: int | None = None) -> None:
        self.short_side = short_side
        self.seen: list[Tensor] = []

    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return torch.cat((images[:, 3:5], images[:, :1]), dim=1)

    def features(self, images: Tensor) -> Tensor:
        return images


IMAGE = torch.rand(2, 3, 40, 64, generator=torch.Generator().manual_seed(0))
EXPECTED = torch.cat((image_places(IMAGE), IMAGE[:, :1]), dim=1)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("tile", [None, 16, 24])
def test_each_pixel_is_told_its_place_however_it_is_seen(flip: bool, tile: int | None) -> None:
    model = Places()
    logits = Predictor(model, InferenceSettings(flip=flip, tile=tile, max_pixels=4096)).logits(IMAGE)
    assert torch.allclose(logits, EXPECTED, atol=1e-6)
    assert {images.shape[1] for images in model.seen} == {5}
    assert len(model.seen) >= (1 + flip) * (1 if tile is None else 4)


def test_mirrored_views_really_are_mirrored() -> None:
    model = Places()
    Predictor(model, InferenceSettings(flip=True)).logits(IMAGE)
    plain, mirrored = model.seen
    assert torch.equal(mirrored[:, :3], IMAGE.flip(-1))
    assert torch.equal(mirrored[:, 3:], plain[:, 3:].flip(-1))
    assert (mirrored[:, 3, :, 0] == 1.0).all()


def test_images_too_large_for_one_look_are_told_places_of_the_whole() -> None:
    model = Places()
    logits = Predictor(model, InferenceSettings(flip=True, max_pixels=600)).logits(IMAGE)
    assert torch.allclose(logits, EXPECTED, atol=1e-6)
    assert all(images.shape[2] * images.shape[3] <= 600 for images in model.seen)


def test_shrunk_images_still_reach_from_border_to_border() -> None:
    model = Places(short_side=20)
    Predictor(model).logits(IMAGE)
    (seen,) = model.seen
    assert seen.shape == (2, 5, 20, 32)
    assert torch.equal(seen[:, 3:], image_places(seen))


def test_other_models_see_nothing_but_colours() -> None:
    model = Places()
    model.wants_places = False
    with pytest.raises(RuntimeError):  # nothing to answer with
        Predictor(model).logits(IMAGE).view(2, 3, 40, 64)
    assert model.seen[0].shape == (2, 3, 40, 64)


@pytest.mark.parametrize(
    ("network", "wants"),
    [(CompactUNet(2, (8, 8, 8, 8, 8)), True), (CompactDeepLab(2, width=8, low_level=8), False)],
)
def test_checkpoints_of_the_compact_unet_want_places(network: SegmentationNetwork, wants: bool) -> None:
    model = CheckpointModel(network, ("a", "b"), ClassMapping(((0,), (1,)), (), ()), None)
    assert model.wants_places is wants
    predictor = Predictor(model, InferenceSettings(flip=True, tile=32))
    assert predictor.logits(IMAGE).shape == (2, 2, 40, 64)


def test_told_or_not_a_whole_image_is_seen_the_same() -> None:
    network = CompactUNet(2, (8, 8, 8, 8, 8))
    model = CheckpointModel(network, ("a", "b"), ClassMapping(((0,), (1,)), (), ()), None)
    assert torch.allclose(Predictor(model).logits(IMAGE), network(IMAGE), atol=1e-6)
