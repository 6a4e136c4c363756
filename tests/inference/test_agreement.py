from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.inference.agreement import AgreementSettings, agree
from seglift.inference.multi_scale import multi_scale_logits
from seglift.inference.predict import Predictor
from seglift.inference.settings import InferenceSettings


class Colours:
    """A pixel's class is its strongest colour: a model that mirrors with its input."""

    space_classes = ("red", "green", "blue")

    def __init__(self, sharpness=20.0):
        self.sharpness, self.seen = sharpness, []

    def logits(self, images):
        self.seen.append(tuple(images.shape[-2:]))
        return images * self.sharpness

    features = logits


class OneSided(Colours):
    """Says class 0 left of the middle of what it sees, class 1 right of it."""

    def logits(self, images):
        right = torch.arange(images.shape[-1]) >= images.shape[-1] // 2
        maps = torch.stack((~right, right, torch.zeros_like(right))).float() * self.sharpness
        return maps[None, :, None].expand(len(images), -1, images.shape[-2], -1)


def test_views_that_agree_and_are_sure_are_accepted():
    sure = torch.tensor([4.0, 0.0])
    probability = float(torch.softmax(sure, 0)[0])  # 0.982
    found = agree([sure.view(1, 2, 1, 1).expand(1, 2, 2, 2)] * 3, confidence=probability - 1e-4)
    assert found.accepted.all() and (found.labels == 0).all()
    torch.testing.assert_close(found.probability, torch.full((1, 2, 2), probability))
    assert not agree([sure.view(1, 2, 1, 1)], confidence=probability + 1e-4).accepted.any()
    assert not agree([torch.zeros(1, 2, 1, 1)], confidence=0.5).accepted.any()  # as sure is not surer


def test_one_view_that_differs_rejects_however_sure_the_mean_is():
    most, other = torch.tensor([50.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 0.1]).view(1, 2, 1, 1)
    found = agree([most, most, other])
    assert found.labels.item() == 0 and found.probability.item() > 0.99 and not found.accepted.item()
    assert not agree([other, most, most]).accepted.item()
    assert not agree([most, other, most]).accepted.item()


def test_the_mean_of_logits_decides_not_that_of_probabilities():
    views = [torch.tensor([value, 0.0]).view(1, 2, 1, 1) for value in (8.0, 0.5)]  # probabilities 0.9997 and 0.62
    expected = float(torch.sigmoid(torch.tensor(4.25)))  # 0.986; the mean of the probabilities is 0.81
    found = agree(views)
    assert found.probability.item() == pytest.approx(expected) and found.accepted.item()


def test_logits_that_are_no_numbers_are_never_accepted():
    assert not agree([torch.full((1, 2, 1, 1), torch.nan)]).accepted.any()


def test_wrong_views_are_refused():
    with pytest.raises(ValueError, match="at least one view"):
        agree([])
    with pytest.raises(ValueError, match="one shape"):
        agree([torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4)])


def test_a_model_that_mirrors_with_its_input_agrees_with_itself():
    images = torch.from_numpy(np.random.default_rng(0).random((1, 3, 12, 16), np.float32))
    model = Colours()
    views = list(Predictor(model, InferenceSettings(flip=True)).views(images))
    assert len(views) == 2
    torch.testing.assert_close(views[0], views[1])
    torch.testing.assert_close(views[0], images * 20)
    found = agree(views, confidence=0)
    assert found.accepted.all() and (found.labels == images.argmax(1)).all()


def test_a_model_that_does_not_mirror_agrees_nowhere():
    views = Predictor(OneSided(), InferenceSettings(flip=True)).views(torch.zeros(1, 3, 8, 8))
    assert not agree(views).accepted.any()


def test_six_views_at_the_size_of_the_image():
    images = torch.zeros(1, 3, 16, 24)
    images[:, 0] = 1
    model = Colours()
    views = list(Predictor(model, AgreementSettings()).views(images))
    assert model.seen == [(8, 12)] * 2 + [(16, 24)] * 2 + [(32, 48)] * 2
    assert [tuple(view.shape) for view in views] == [(1, 3, 16, 24)] * 6
    assert agree(views).accepted.all()


def test_views_of_shrunk_images_and_of_a_fixed_size_are_put_back():
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    for settings in (InferenceSettings(short_side=16, scales=(0.5, 1)), InferenceSettings(size=(16, 16))):
        predictor = Predictor(Colours(), settings)
        views = list(predictor.views(images))
        assert all(view.shape == (1, 3, 32, 48) for view in views)
        if settings.size is not None:
            torch.testing.assert_close(views[0], predictor.logits(images))


def test_the_mean_of_the_views_is_what_multi_scale_inference_gives():
    images = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1))
    settings = AgreementSettings()
    views = list(Predictor(Colours(), settings).views(images))
    mean = multi_scale_logits(Colours().logits, images, settings.scales, settings.flip)
    torch.testing.assert_close(sum(views) / 6, mean)


@pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"average": "probabilities"}, {"scales": ()}])
def test_impossible_settings(wrong):
    with pytest.raises(UserError):
        AgreementSettings(**wrong)
