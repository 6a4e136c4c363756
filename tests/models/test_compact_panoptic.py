from __future__ import annotations

import pytest
import torch

from seglift.losses.panoptic import PanopticCriterion, PanopticLossConfig
from seglift.models.compact_panoptic import CompactPanoptic
from seglift.models.compact_unet import CompactUNet, image_places
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.zoo import build, build_panoptic

WIDTHS = (8, 8, 12, 12, 16)


@pytest.fixture
def network() -> CompactPanoptic:
    torch.manual_seed(0)
    return CompactPanoptic(5, WIDTHS, head=8).eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (65, 31), (16, 17), (1, 1)])
@torch.no_grad()
def test_maps_have_the_size_of_the_input(network: CompactPanoptic, size: tuple[int, int]) -> None:
    output = network.panoptic(torch.rand(2, 3, *size))
    shapes = [tuple(m.shape) for m in (output.semantic, output.centre, output.offset)]
    assert shapes == [(2, channels, *size) for channels in (5, 1, 2)]


@torch.no_grad()
def test_its_classes_are_those_of_the_compact_unet(network: CompactPanoptic) -> None:
    images, plain = torch.rand(2, 3, 40, 56), CompactUNet(5, WIDTHS).eval()
    missing, unexpected = plain.load_state_dict(network.state_dict(), strict=False)
    assert not missing
    assert {name.split(".")[0] for name in unexpected} == {"instance_up", "centre", "offset"}
    assert torch.equal(network(images), plain(images))
    assert torch.equal(network.panoptic(images).semantic, plain(images))
    network.undo_balance(torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]), 1.0)
    assert torch.equal(network.panoptic(images).semantic, network(images))


@torch.no_grad()
def test_instances_are_predicted_at_stride_4(network: CompactPanoptic) -> None:
    sizes: list[tuple[int, ...]] = []
    hooks = [
        m.register_forward_hook(lambda _, __, y: sizes.append(y.shape[1:])) for m in (network.centre, network.offset)
    ]
    places = image_places(torch.zeros(1, 3, 48, 80)) * 0.5
    images = torch.rand(1, 3, 48, 80)
    one, other = network.panoptic(images), network.panoptic(torch.cat((images, places), 1))
    for hook in hooks:
        hook.remove()
    assert sizes == [(1, 12, 20), (2, 12, 20)] * 2
    assert not torch.equal(one.centre, other.centre)  # where a view lies counts


@torch.no_grad()
def test_instances_are_predicted_at_stride_2_where_asked_to() -> None:
    network = CompactPanoptic(5, WIDTHS, head=6, fine=True).eval()
    sizes: list[tuple[int, ...]] = []
    for module in (network.instance_up[-1], network.centre, network.offset):
        module.register_forward_hook(lambda _, __, y: sizes.append(y.shape[1:]))
    output = network.panoptic(torch.rand(1, 3, 48, 80))
    assert sizes == [(6, 24, 40), (1, 24, 40), (2, 24, 40)]
    assert output.centre.shape == (1, 1, 48, 80)


@pytest.mark.parametrize("fine", [False, True])
def test_every_parameter_learns(fine: bool) -> None:
    network = CompactPanoptic(3, WIDTHS, fine=fine)
    output = network.panoptic(torch.rand(2, 3, 48, 48))
    sum(m.square().mean() for m in (output.semantic, output.centre, output.offset)).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert all(bool(p.grad.any()) for p in network.instance_up.parameters())


def test_the_zoo_builds_it_from_its_seed() -> None:
    config = {"architecture": "compact_panoptic", "arguments": {"num_classes": 3, "widths": list(WIDTHS)}}
    first, again, other = build_panoptic(config, seed=1), build(config, seed=1), build_panoptic(config, seed=2)
    assert isinstance(first, CompactUNet) and isinstance(first, PanopticNetwork)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_a_single_stage_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 stages, got widths \[8\]"):
        CompactPanoptic(3, [8])
    assert CompactPanoptic(3, [8, 9]).panoptic(torch.rand(2, 3, 12, 16)).offset.shape == (2, 2, 12, 16)


def test_it_learns_where_boxes_are() -> None:
    """Four boxes in two images: after a few steps their centres are the peaks, and offsets lead to them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 48, 64, generator=generator) * 0.2
    label, number = torch.zeros(2, 48, 64, dtype=torch.uint8), torch.zeros(2, 48, 64, dtype=torch.int32)
    for n, (image, top, left, height, width) in enumerate(
        [(0, 4, 6, 12, 20), (0, 26, 36, 14, 22), (1, 10, 8, 20, 10), (1, 12, 40, 22, 16)], start=1
    ):
        box = (image, slice(top, top + height), slice(left, left + width))
        label[box], number[box] = 1, n
        images[image, n % 3, box[1], box[2]] += 0.7
    config = PanopticLossConfig(sigma=3.0, offset=0.1)
    targets, criterion = config.targets(label, number, (1,)), PanopticCriterion(config)
    torch.manual_seed(0)
    network = CompactPanoptic(2, (12, 16, 24, 32), head=16)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        criterion(network.panoptic(images), targets).backward()
        optimiser.step()
    output = network.panoptic(images)
    assert (output.semantic.argmax(1) == label).float().mean() > 0.98
    for image in range(2):
        peaks = (targets.centre[image, 0] == 1).nonzero()
        assert len(peaks) == 2
        for y, x in peaks.tolist():
            around = output.centre[image, 0, y - 5 : y + 6, x - 5 : x + 6]
            assert divmod(int(around.argmax()), 11) in [(y, x) for y in range(3, 8) for x in range(3, 8)]
            assert around.max() > 0.6
    error = (output.offset - targets.offset).abs().mean(1, keepdim=True)[targets.offset_mask]
    assert error.mean() < 1.5
