from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.panoptic.model import PanopticModel, PanopticPredictor, require_panoptic
from seglift.inference.settings import InferenceSettings
from seglift.models.panoptic_output import PanopticOutput


class Semantic:
    """One class for each colour channel."""

    space_classes = ("red", "green", "blue")

    def logits(self, images: Tensor) -> Tensor:
        return images * 10

    def features(self, images: Tensor) -> Tensor:
        return self.logits(images)


class Panoptic(Semantic):
    """Heat where it is green; every offset leads 2 down and 3 to the right, as much as it shrank. Remembers sizes."""

    short_side: int | None = None

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def panoptic(self, images: Tensor) -> PanopticOutput:
        self.seen.append(tuple(images.shape[-2:]))
        offset = torch.tensor([2.0, 3.0]).view(1, 2, 1, 1).expand(len(images), 2, *images.shape[-2:])
        return PanopticOutput(self.logits(images), images[:, 1:2], offset)


IMAGES = torch.rand(1, 3, 41, 61, generator=torch.Generator().manual_seed(0))


def test_which_models_tell_instances_apart() -> None:
    model = Panoptic()
    assert isinstance(model, PanopticModel)
    assert require_panoptic(model, "m") is model
    with pytest.raises(UserError, match=r"^teacher\.pth has no instance heads .* a panoptic model; ") as caught:
        require_panoptic(Semantic(), "teacher.pth")
    assert "\n" not in str(caught.value)


def test_plain_settings_give_what_the_model_says() -> None:
    model = Panoptic()
    found, wanted = PanopticPredictor(model).panoptic(IMAGES), model.panoptic(IMAGES)
    assert torch.allclose(found.semantic.softmax(1), wanted.semantic.softmax(1), atol=1e-5)
    assert torch.allclose(found.centre, wanted.centre)
    assert torch.allclose(found.offset, wanted.offset)
    assert isinstance(PanopticPredictor(model), PanopticModel)


def test_tiles_change_nothing_for_a_model_that_sees_single_pixels() -> None:
    model = Panoptic()
    found = PanopticPredictor(model, InferenceSettings(tile=20, overlap=0.3)).panoptic(IMAGES)
    wanted = model.panoptic(IMAGES)
    assert set(model.seen[:-1]) == {(20, 20)}
    assert torch.allclose(found.semantic.softmax(1), wanted.semantic.softmax(1), atol=1e-5)
    assert torch.allclose(found.centre, wanted.centre, atol=1e-5)
    assert torch.allclose(found.offset, wanted.offset, atol=1e-5)


def test_offsets_of_the_working_size_become_those_of_the_image() -> None:
    model = Panoptic()
    model.short_side = 21
    found = PanopticPredictor(model).panoptic(IMAGES)
    assert model.seen == [(21, 31)]
    assert found.semantic.shape == (1, 3, 41, 61)
    assert torch.allclose(found.offset[0, 0], torch.full((41, 61), 4.0))
    assert torch.allclose(found.offset[0, 1], torch.full((41, 61), 6.0))


def test_the_semantic_side_is_that_of_any_predictor() -> None:
    assert torch.equal(PanopticPredictor(Panoptic()).logits(IMAGES), IMAGES * 10)
