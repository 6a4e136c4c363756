from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.models.zoo import build
from seglift.training.starts.pretrained_encoder import pretrained_encoder

XCEPTION = {"architecture": "deeplabv3plus_xception71", "arguments": {"num_classes": 3}}
create = timm.create_model


def offline(monkeypatch, **about):
    """timm makes donors with random weights and statistics; gives the list of those it made."""
    made = []

    def donor(name, pretrained, **more):
        assert pretrained
        torch.manual_seed(1)
        model = create(name, pretrained=False, **more)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.3)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        model.pretrained_cfg = {**model.pretrained_cfg, **about}
        made.append(model.eval())
        return model

    monkeypatch.setattr(timm, "create_model", donor)
    return made


def test_xception_sees_what_its_donor_sees_though_they_normalise_otherwise(monkeypatch):
    """The stem's first convolution and norm, away from the border, where padding stands for another grey."""
    network = build(XCEPTION, seed=0)
    made = offline(monkeypatch)
    tensors = pretrained_encoder(network, XCEPTION)
    (donor,) = made
    network.load_state_dict(tensors)
    images = torch.rand(1, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = donor.stem[0]((images - 0.5) / 0.5)
        ours = network.eval().encoder.stem[0](network.normalise(images))
    assert torch.allclose(ours[..., 1:-1, 1:-1], theirs[..., 1:-1, 1:-1], atol=1e-5)
    assert not torch.allclose(network.encoder.stem[0]((images - 0.5) / 0.5), theirs, atol=1e-2)
    given = donor.state_dict()
    changed = [name for name in given if not torch.equal(tensors[f"encoder.{name}"], given[name])]
    assert changed == ["stem.0.conv.weight", "stem.0.bn.running_mean"]


def test_weights_for_the_imagenet_statistics_are_taken_as_they_are(monkeypatch):
    config = {"architecture": "deeplabv3plus", "arguments": {"encoder": "resnet18", "num_classes": 3}}
    network, made = build(config, seed=0), offline(monkeypatch)
    tensors = pretrained_encoder(network, config)
    assert all(torch.equal(tensors[f"encoder.{name}"], tensor) for name, tensor in made[0].state_dict().items())
    assert torch.equal(tensors["classifier.weight"], network.state_dict()["classifier.weight"])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architecture": "compact_unet", "arguments": {"num_classes": 3}}, "names none"),
        ({"architecture": "deeplabv3plus_wideresnet38", "arguments": {"num_classes": 3}}, "timm has no weights"),
    ],
)
def test_a_network_without_a_timm_encoder_is_refused(config, said):
    with torch.device("meta"):
        network = build(config)
    with pytest.raises(UserError, match=said):
        pretrained_encoder(network, config)


def test_a_donor_whose_normalisation_cannot_be_worked_in_is_refused(monkeypatch):
    config = {"architecture": "deeplabv3plus", "arguments": {"encoder": "resnet18", "num_classes": 3}}
    network = build(config, seed=0)
    offline(monkeypatch, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), first_conv="elsewhere")
    with pytest.raises(UserError, match="ImageNet statistics"):
        pretrained_encoder(network, config)
