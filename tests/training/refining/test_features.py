from __future__ import annotations

import pytest
import torch

from seglift.models.compact_unet import CompactUNet, image_places
from seglift.training.refining.features import FrozenFeatures


class Seeing:
    short_side = 20

    def __init__(self, wants_places=False):
        self.wants_places, self.seen = wants_places, []

    def features(self, images):
        self.seen.append(images)
        return images[:, :1, ::2, ::2]


def test_views_are_shrunk_as_their_whole_images_are():
    model = Seeing()
    frozen = FrozenFeatures(model)
    assert frozen.scale_of(40, 60) == 0.5
    assert frozen.scale_of(10, 60) == 1.0
    features = frozen(torch.rand(2, 3, 16, 24), torch.rand(2, 2, 16, 24), torch.tensor([0.5, 0.5]), (4, 6))
    assert [tuple(seen.shape) for seen in model.seen] == [(2, 3, 8, 12)]
    assert features.shape == (2, 1, 4, 6)


def test_views_of_images_of_different_sizes_are_looked_at_one_by_one():
    model = Seeing()
    features = FrozenFeatures(model)(
        torch.rand(2, 3, 16, 24), torch.rand(2, 2, 16, 24), torch.tensor([0.5, 1.0]), (4, 6)
    )
    assert [tuple(seen.shape) for seen in model.seen] == [(1, 3, 8, 12), (1, 3, 16, 24)]
    assert features.shape == (2, 1, 4, 6)


@pytest.mark.parametrize("wants", [True, False])
def test_a_model_that_wants_places_gets_them(wants):
    model = Seeing(wants)
    FrozenFeatures(model)(torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8), torch.tensor([1.0]), (2, 2))
    assert model.seen[0].shape[1] == (5 if wants else 3)


def test_features_of_a_whole_image_are_those_of_the_network():
    network = CompactUNet(3, widths=(4, 8)).eval()
    images = torch.rand(1, 3, 24, 32)
    frozen = FrozenFeatures(network)
    found = frozen(images, image_places(images), torch.tensor([1.0]), (6, 8))
    with torch.no_grad():
        assert torch.allclose(found, network.features(images), atol=1e-5)
