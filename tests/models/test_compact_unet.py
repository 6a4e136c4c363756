from __future__ import annotations

import pytest
import torch

from seglift.models.compact_unet import CompactUNet, image_places
from seglift.models.zoo import build

WIDTHS = (8, 8, 12, 12, 16)


@pytest.fixture
def network() -> CompactUNet:
    torch.manual_seed(0)
    return CompactUNet(5, WIDTHS).eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (65, 31), (16, 17), (1, 1)])
@torch.no_grad()
def test_logits_have_the_size_of_the_input(network: CompactUNet, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    assert network(images).shape == (2, 5, *size)
    assert network.features(images).shape == (2, 8, -(-size[0] // 2), -(-size[1] // 2))
    assert network.feature_channels == 8


def test_places_run_from_border_to_border() -> None:
    places = image_places(torch.zeros(2, 7, 3, 5))
    assert places.shape == (2, 2, 3, 5)
    assert places[1, 0, 2].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert places[0, 1, :, 4].tolist() == [-1.0, 0.0, 1.0]


@torch.no_grad()
def test_images_without_places_get_their_own(network: CompactUNet) -> None:
    images = torch.rand(2, 3, 40, 56)
    assert torch.equal(network(images), network(torch.cat((images, image_places(images)), 1)))


@torch.no_grad()
def test_where_a_view_lies_counts(network: CompactUNet) -> None:
    images = torch.rand(1, 3, 40, 56)
    elsewhere = torch.cat((images, image_places(images) * 0.5 + 0.5), 1)
    assert not torch.allclose(network(images), network(elsewhere), atol=1e-3)
    # Colours are normalised, places are not.
    first = network.down[0][0][0]
    seen: list[torch.Tensor] = []
    hook = first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(elsewhere)
    hook.remove()
    assert torch.equal(seen[0][:, 3:], elsewhere[:, 3:])
    assert torch.allclose(seen[0][:, :3], network.normalise(images))


def test_every_parameter_learns() -> None:
    network = CompactUNet(3, WIDTHS)
    network(torch.rand(2, 3, 48, 48)).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert sum(bool(p.grad.any()) for p in network.parameters()) > 0.9 * len(list(network.parameters()))


def test_a_batch_of_one_can_be_trained() -> None:
    network = CompactUNet(3, WIDTHS)
    network(torch.rand(1, 3, 48, 64)).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert torch.equal(network.context[1].running_mean, torch.zeros(WIDTHS[-1]))
    assert network.down[0][0][1].running_mean.any()


def test_the_names_of_its_weights_stay() -> None:
    names = {name for name in CompactUNet(3, WIDTHS).state_dict() if name.startswith("context")}
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert names == {"context.0.weight", *(f"context.1.{name}" for name in norm)}


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@torch.no_grad()
def test_balance_is_undone_in_evaluation_only(network: CompactUNet, power: float) -> None:
    features = torch.rand(1, 8, 4, 6)
    plain = network.train().classify(features)
    frequency = torch.tensor([0.5, 0.25, 0.125, 0.0625, 0.0625])
    network.undo_balance(frequency, power)
    assert torch.equal(network.classify(features), plain)
    expected = plain + power * torch.log(frequency).view(1, -1, 1, 1)
    assert torch.allclose(network.eval().classify(features), expected, atol=1e-6)


@torch.no_grad()
def test_undoing_makes_the_posterior_of_the_true_shares(network: CompactUNet) -> None:
    """A loss weighted by 1 / share fits posterior / share; for features that say nothing the shares must come back."""
    frequency = torch.tensor([0.6, 0.2, 0.1, 0.06, 0.04])
    network.classifier.weight.zero_()
    network.classifier.bias.zero_()  # all classes alike: what a balanced loss fits without evidence
    network.undo_balance(frequency, 1.0)
    posterior = network(torch.rand(1, 3, 32, 32)).softmax(1)
    assert torch.allclose(posterior, frequency.view(1, -1, 1, 1).expand(1, 5, 32, 32), atol=1e-5)


def test_classes_that_never_occur_stay_finite(network: CompactUNet) -> None:
    network.undo_balance(torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]), 1.0)
    assert torch.isfinite(network.log_prior).all()
    assert (network.log_prior[1:] < network.log_prior[0]).all()


@torch.no_grad()
def test_a_balance_that_is_kept_gives_what_training_saw(network: CompactUNet) -> None:
    features = torch.rand(1, 8, 4, 6)
    network.undo_balance(torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]), 1.0)
    network.keep_balance()
    assert torch.equal(network.eval().classify(features), network.train().classify(features))


def test_the_prior_is_kept_with_the_weights(network: CompactUNet) -> None:
    network.undo_balance(torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]), 0.5)
    other = CompactUNet(5, WIDTHS)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.log_prior, network.log_prior)


def test_the_zoo_builds_it_from_its_seed() -> None:
    config = {"architecture": "compact_unet", "arguments": {"num_classes": 3, "widths": list(WIDTHS)}}
    first, again, other = build(config, seed=1), build(config, seed=1), build(config, seed=2)
    assert isinstance(first, CompactUNet)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
