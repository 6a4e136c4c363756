from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.propagation.provenance import MODEL, NONE
from seglift.propagation.semantic_only import SemanticLabeller

PROBABILITIES = torch.tensor(
    [[[0.95, 0.6, 0.05, 0.2]], [[0.03, 0.3, 0.9, 0.3]], [[0.02, 0.1, 0.05, 0.5]]], dtype=torch.float32
)[None]
"""Four pixels: train ids 0, 0, 1 and 2, space indices 2, 2, 3 and 1."""
IMAGE = torch.zeros(1, 3, 1, 4, dtype=torch.uint8)


@pytest.fixture
def labeller(space, stub_model) -> SemanticLabeller:
    return SemanticLabeller(stub_model(PROBABILITIES), space)


def test_everything_is_labelled_without_a_threshold(labeller):
    fused = labeller.label_frame(IMAGE)
    assert fused.labels.tolist() == [[[2, 2, 3, 1]]]
    assert fused.labels.dtype == fused.provenance.dtype == torch.uint8
    assert fused.confidence.flatten().tolist() == pytest.approx([0.95, 0.6, 0.9, 0.5])
    assert (fused.provenance == MODEL).all()
    assert torch.equal(labeller.labels(IMAGE), fused.labels)


def test_below_the_threshold_pixels_stay_void(labeller, space):
    fused = labeller.label_frame(IMAGE, threshold=0.7)
    assert fused.labels.tolist() == [[[2, space.unknown_index, 3, space.unknown_index]]]
    assert fused.provenance.tolist() == [[[MODEL, NONE, MODEL, NONE]]]
    assert fused.confidence.flatten().tolist() == pytest.approx([0.95, 0.6, 0.9, 0.5])


def test_probabilities_sum_to_one_whatever_the_logits(space, stub_model):
    labeller = SemanticLabeller(stub_model(PROBABILITIES * 7.0), space)
    assert torch.allclose(labeller.probabilities(IMAGE), PROBABILITIES, atol=1e-6)


def test_the_model_sees_colours_from_0_to_1(space, stub_model):
    def of_colours(images: Tensor) -> Tensor:
        return images + 1e-3

    model = stub_model(of_colours)
    image = torch.tensor([[255, 0, 0], [0, 255, 51]], dtype=torch.uint8).T.reshape(1, 3, 1, 2).contiguous()
    labels = SemanticLabeller(model, space).labels(image)
    assert labels.tolist() == [[[2, 3]]]
    assert model.seen[0].dtype == torch.float32
    assert model.seen[0][0, :, 0, 1].tolist() == pytest.approx([0.0, 1.0, 0.2])


def test_class_indices_are_those_of_the_labels(labeller, space):
    assert labeller.class_indices().tolist() == [2, 3, 1]
    train = torch.tensor([[[0, 1, 2, 255]]])
    assert labeller.to_index(train).tolist() == [[[2, 3, 1, space.unknown_index]]]
    assert np.array_equal(space.to_train(labeller.to_index(train)[0].numpy()), [[0, 1, 2, 255]])
