from __future__ import annotations

import pytest
import torch
from torchvision.models import vgg16

from seglift.base.errors import UserError
from seglift.models.vgg_features import FILE_NAME, MEAN, STD, VggFeatures, load_vgg_features, vgg_file


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The weights of torchvision's network up to its third pooling, at random."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = VggFeatures()
    path = tmp_path_factory.mktemp("vgg") / FILE_NAME
    torch.save(network.state_dict() | {"classifier.6.bias": torch.zeros(1000)}, path)
    return network, path


def test_names_and_shapes_are_torchvisions():
    with torch.device("meta"):
        theirs = vgg16().state_dict()
    ours = VggFeatures().state_dict()
    assert len(ours) == 14
    assert all(theirs[name].shape == tensor.shape for name, tensor in ours.items())


def test_features_are_those_of_the_first_three_poolings(saved):
    network, path = saved
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    found = load_vgg_features(path)(image)
    assert [tuple(layer.shape[1:]) for layer in found] == [(64, 16, 24), (128, 8, 12), (256, 4, 6)]
    with torch.device("meta"):
        theirs = vgg16().features[:17]
    theirs.to_empty(device="cpu").load_state_dict(
        {name.removeprefix("features."): tensor for name, tensor in network.state_dict().items()}
    )
    normal = (image - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    assert torch.allclose(found[2], theirs(normal), atol=1e-6)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_gradients_reach_the_image(saved):
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    saved[0](image)[2].sum().backward()
    assert image.grad.abs().sum() > 0


def test_weights_that_are_not_there_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=rf"none at .*{FILE_NAME}.*loss\.vgg"):
        vgg_file(None)
    with pytest.raises(UserError, match="nowhere"):
        vgg_file(str(tmp_path / "nowhere.pth"))
    cached = tmp_path / "hub" / "checkpoints" / FILE_NAME
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert vgg_file(None) == cached


def test_other_weights_are_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"lacks features\.0\.weight"):
        load_vgg_features(tmp_path / "x.pth")
