from __future__ import annotations

import torch

from seglift.inference.class_features import ClassFeatures


class Counting:
    """A model that says how sure it is by how bright a pixel is, and counts the looks."""

    space_classes = ("dark", "bright")
    short_side = 96

    def __init__(self):
        self.looks = 0

    def logits(self, images):
        self.looks += 1
        bright = images[:, :1]
        return torch.cat((1 - bright, bright), 1).clamp_min(1e-6).log()

    def features(self, images):
        raise AssertionError("probabilities come from the logits")


def test_features_are_the_mean_probabilities_of_four_by_four_pixels():
    model = ClassFeatures(Counting())
    images = torch.rand(1, 3, 8, 12)
    features = model.features(images)
    assert features.shape == (1, 2, 2, 3)
    assert torch.allclose(features[0, 1, 0, 0], images[0, 0, :4, :4].mean(), atol=1e-5)
    assert torch.allclose(features.sum(1), torch.ones(1, 2, 3))
    assert model.features(torch.rand(1, 3, 9, 5)).shape == (1, 2, 3, 2)
    assert (model.space_classes, model.short_side) == (("dark", "bright"), 96)


def test_one_look_at_the_same_images():
    inner = Counting()
    model = ClassFeatures(inner)
    images = torch.rand(1, 3, 8, 8)
    first = model.logits(images)
    again = images.clone()
    model.features(again)
    assert inner.looks == 1
    assert torch.equal(model.logits(again), first)
    images[0, 0, 0, 0] = 0.5 - images[0, 0, 0, 0] / 2  # written over in place
    assert not torch.equal(model.logits(images), first)
    assert inner.looks == 2


def test_what_another_thread_asks_meanwhile_is_not_taken_for_the_answer(monkeypatch):
    model = ClassFeatures(Counting())
    mine, others = torch.full((1, 3, 8, 8), 0.25), torch.full((1, 3, 8, 8), 0.75)
    first, equal = model.logits(mine), torch.equal

    def interrupted(one: torch.Tensor, other: torch.Tensor) -> bool:
        same = equal(one, other)
        monkeypatch.setattr(torch, "equal", equal)
        model.logits(others)  # as if a thread had come between looking and answering
        return same

    monkeypatch.setattr(torch, "equal", interrupted)
    assert equal(model.logits(mine), first)
