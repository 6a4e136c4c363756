from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.models.compact import CompactDeepLab, coordinate_channels


@pytest.fixture(scope="module")
def network() -> CompactDeepLab:
    return CompactDeepLab(5, width=16, low_level=8, coordinates=True).eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (65, 31), (16, 17)])
@torch.no_grad()
def test_logits_have_the_size_of_the_input(network: CompactDeepLab, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    assert network(images).shape == (2, 5, *size)
    features = network.features(images)
    assert features.shape == (2, 16, -(-size[0] // 4), -(-size[1] // 4))


def test_layout_is_that_of_the_specification() -> None:
    network = CompactDeepLab(19, width=32)
    dilations = [
        m.dilation[0] for m in network.aspp.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] == 3
    ]
    assert dilations == [6, 12, 18]
    assert network.aspp.fuse[0].in_channels == 5 * 32
    assert network.low_level[0].out_channels == 48
    fuse = [m for m in network.fuse.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size) for m in fuse] == [(80, 32, (3, 3)), (32, 32, (3, 3))]
    parts = {name.split(".")[0] for name in network.state_dict()}
    assert parts == {"encoder", "aspp", "low_level", "fuse", "classifier"}


def test_normalises_its_own_input(network: CompactDeepLab) -> None:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    assert torch.allclose(network.normalise(mean + 2 * std), torch.full((1, 3, 1, 1), 2.0), atol=1e-6)


def test_a_batch_of_one_can_be_trained() -> None:
    network = CompactDeepLab(3, width=8, low_level=8)
    network(torch.rand(1, 3, 48, 48)).mean().backward()
    assert all(p.grad is not None for p in network.parameters())


@torch.no_grad()
def test_larger_images_on_an_encoder_with_other_strides() -> None:
    network = CompactDeepLab(3, encoder="resnet18", width=8, low_level=8, output_stride=8).eval()
    assert network(torch.rand(1, 3, 40, 56)).shape == (1, 3, 40, 56)


def test_coordinates_are_pixel_centres() -> None:
    xy = coordinate_channels(torch.zeros(2, 7, 2, 4))
    assert xy.shape == (2, 2, 2, 4)
    assert xy[1, 0, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert xy[0, 1, :, 3].tolist() == [-0.5, 0.5]


def test_unknown_encoder_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"mobilenet_v99.*timm"):
        CompactDeepLab(3, encoder="mobilenet_v99")
    with pytest.raises(UserError, match="vit_tiny_patch16_224"):
        CompactDeepLab(3, encoder="vit_tiny_patch16_224")
