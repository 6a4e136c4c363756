from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.models.refiner import RefinerNetwork
from seglift.models.zoo import KINDS, REFINERS, build_refiner

COMPACT = {"architecture": "refiner_compact", "arguments": {"num_classes": 3, "feature_channels": 5}}


def inputs(height=20, width=28, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (batch, height, width), generator=generator, dtype=torch.uint8)
    warped, image = torch.rand(2, batch, 3, height, width, generator=generator)
    return labels, warped, image, torch.rand(batch, 5, height // 2, width // 2, generator=generator)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_paper_preset_has_the_layers_of_pix2pixhd_at_a_quarter_of_the_resolution():
    network = build_refiner(
        {"architecture": "refiner_paper", "arguments": {"num_classes": 19, "feature_channels": 512}}
    )
    count = {
        "stem": 7 * 7 * (20 + 3 + 3) * 64 + 64,
        "down": 9 * 64 * 128 + 128 + 9 * 128 * 256 + 256,
        "fuse": (256 + 512) * 256 + 256,
        "blocks": 9 * 2 * (9 * 256 * 256 + 256),
        "up": 9 * 256 * 128 + 128 + 9 * 128 * 64 + 64,
        "head": 7 * 7 * 64 * 20 + 20,
    }
    assert {name: parameters(part) for name, part in network.named_children()} == count
    assert parameters(network) == 11_700_500
    norms = [part for part in network.modules() if isinstance(part, nn.InstanceNorm2d | nn.BatchNorm2d)]
    assert len(norms) == 1 + 2 + 1 + 18 + 2
    assert not any(part.affine for part in norms)
    assert network.residual == 0
    assert network.head.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_the_compact_preset_is_a_fraction_of_it():
    network = build_refiner(
        {"architecture": "refiner_compact", "arguments": {"num_classes": 19, "feature_channels": 32}}, seed=0
    )
    assert parameters(network) < 300_000
    assert network.residual > 0


@pytest.mark.parametrize("size", [(64, 96), (45, 61), (8, 8), (3, 50)])
@pytest.mark.parametrize("name", REFINERS)
def test_any_size_gives_logits_of_every_class_and_of_ignored(name, size):
    arguments = {"num_classes": 3, "feature_channels": 5, "width": 4, "blocks": 1}
    network = build_refiner({"architecture": name, "arguments": arguments}, seed=0)
    labels, warped, image, _ = inputs(*size)
    logits = network(labels, warped, image, torch.rand(2, 5, 7, 9))
    assert logits.shape == (2, 4, *size)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("mode", [True, False])
def test_a_fresh_network_with_a_residual_path_gives_its_labels_back(mode):
    network = build_refiner(COMPACT, seed=0).train(mode)
    labels, *rest = inputs()
    with torch.no_grad():
        logits = network(labels, *rest)
    assert torch.equal(logits.argmax(1).to(torch.uint8), labels)
    half = network.residual / 2
    assert set(logits.unique().tolist()) == {-half, half}


def test_without_the_residual_path_it_does_not():
    network = build_refiner({**COMPACT, "arguments": {**COMPACT["arguments"], "residual": 0.0}}, seed=0).eval()
    labels, *rest = inputs()
    assert not torch.equal(network(labels, *rest).argmax(1).to(torch.uint8), labels)


def test_whatever_lies_above_the_classes_is_ignored():
    network = build_refiner({**COMPACT, "arguments": {**COMPACT["arguments"], "residual": 0.0}}, seed=0).eval()
    labels, *rest = inputs()
    void = torch.where(labels == 3, 255, labels)
    assert torch.equal(network(labels, *rest), network(void, *rest))
    assert torch.equal(network(labels, *rest), network(labels.long(), *rest))


@pytest.mark.parametrize("which", range(4))
def test_every_input_counts(which):
    network = build_refiner({**COMPACT, "arguments": {**COMPACT["arguments"], "residual": 0.0}}, seed=0)
    given = list(inputs())
    before = network(*given)
    given[which] = inputs(seed=1)[which]
    assert not torch.allclose(before, network(*given))


def test_equal_seeds_give_equal_weights_and_wrong_arguments_are_the_users_error():
    first, second = (build_refiner(COMPACT, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(UserError, match="refiner_compact, refiner_paper"):
        build_refiner({"architecture": "compact_unet", "arguments": {}})
    for name, value in (("norm", "layer"), ("kernel", 4)):
        with pytest.raises(UserError, match=name):
            build_refiner({**COMPACT, "arguments": {**COMPACT["arguments"], name: value}})
    for parameter in REFINERS["refiner_paper"].__init__.__annotations__.items():
        if parameter[0] != "return":
            assert parameter[1] in KINDS


def test_shapes_that_do_not_fit_are_told():
    network = RefinerNetwork(3, 5, width=4, blocks=1)
    labels, warped, image, features = inputs()
    with pytest.raises(ValueError, match="two images"):
        network(labels, warped[..., 1:], image, features)
    with pytest.raises(ValueError, match=r"features \[2, 5, h, w\] expected"):
        network(labels, warped, image, features[:, :4])
