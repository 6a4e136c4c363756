from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.models.deeplab import DeepLabV3, DeepLabV3Plus, NormedImagePool, PlainASPP
from seglift.models.zoo import NETWORKS, build

SMALL = {"encoder": "mobilenetv3_small_100", "width": 16}
NAMES = sorted(name for name in NETWORKS if name.startswith("deeplab"))


@pytest.fixture(scope="module")
def network() -> DeepLabV3Plus:
    torch.manual_seed(0)
    return DeepLabV3Plus(5, low_level=8, **SMALL).eval()


@pytest.mark.parametrize("name", NAMES)
def test_every_name_gives_a_network_whose_logits_have_the_size_of_the_input(name: str) -> None:
    with torch.device("meta"):
        network = build({"architecture": name, "arguments": {"num_classes": 7}}).eval()
        assert network(torch.zeros(1, 3, 72, 100)).shape == (1, 7, 72, 100)
        assert network.features(torch.zeros(1, 3, 64, 96)).shape[:2] == (1, network.feature_channels)


def test_the_papers_networks_have_names() -> None:
    assert NAMES == [
        "deeplabv3",
        "deeplabv3plus",
        "deeplabv3plus_seresnext50",
        "deeplabv3plus_wideresnet38",
        "deeplabv3plus_xception71",
    ]
    with pytest.raises(UserError, match="deeplabv3plus_xception71"):
        build({"architecture": "deeplabv4", "arguments": {"num_classes": 2}})


@pytest.mark.parametrize(
    ("name", "arguments", "millions"),
    [
        ("deeplabv3plus", {}, 39.82),
        ("deeplabv3plus", {"encoder": "resnet50"}, 40.35),
        ("deeplabv3plus_seresnext50", {}, 42.35),
        ("deeplabv3plus_wideresnet38", {}, 137.10),
    ],
)
def test_parameter_counts(name: str, arguments: dict[str, str], millions: float) -> None:
    with torch.device("meta"):
        network = build({"architecture": name, "arguments": {"num_classes": 19, **arguments}})
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(("output_stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18])])
def test_the_head_is_the_published_one(output_stride: int, rates: list[int]) -> None:
    with torch.device("meta"):
        network = DeepLabV3Plus(19, output_stride=output_stride)
    assert [branch[0].dilation[0] for branch in network.aspp.branches] == [1, *rates]
    assert [branch[0].kernel_size[0] for branch in network.aspp.branches] == [1, 3, 3, 3]
    assert network.project.weight.shape == (256, 5 * 256, 1, 1)
    assert network.low_level.weight.shape == (48, 256, 1, 1)
    kinds = [type(layer) for layer in network.fuse]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 2
    assert network.fuse[0].weight.shape == (256, 304, 3, 3)
    head = [network.aspp, network.project, network.low_level, network.fuse, network.classifier]
    convolutions = [layer for part in head for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 5 + 2 + 2 + 1 and all(layer.bias is None for layer in convolutions)


@torch.no_grad()
def test_low_level_features_come_first(network: DeepLabV3Plus) -> None:
    seen: list[torch.Tensor] = []
    hook = network.fuse[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    low: list[torch.Tensor] = []
    other = network.low_level.register_forward_hook(lambda _, __, output: low.append(output))
    network.features(torch.rand(1, 3, 64, 64))
    hook.remove()
    other.remove()
    assert seen[0].shape == (1, 8 + 16, 16, 16)
    assert torch.equal(seen[0][:, :8], low[0])


@torch.no_grad()
def test_pyramid_order_and_image_pool() -> None:
    torch.manual_seed(0)
    pyramid = PlainASPP(2, 3, (1, 2)).eval()
    features = torch.rand(2, 2, 6, 7)
    result = pyramid(features)
    assert result.shape == (2, 4 * 3, 6, 7)
    weight = pyramid.pool.project.weight[:, :, 0, 0]
    pooled = (features.mean((2, 3)) @ weight.T / (1 + 1e-5) ** 0.5).clamp_min(0)
    assert torch.allclose(result[:, :3], pooled[:, :, None, None].expand(-1, -1, 6, 7), atol=1e-6)
    assert torch.equal(result[:, 3:6], pyramid.branches[0](features))
    assert torch.equal(result[:, 9:], pyramid.branches[2](features))


def test_a_training_batch_of_one_leaves_the_image_pools_statistics_alone() -> None:
    pool = NormedImagePool(4, 3).train()
    before = pool.norm.running_mean.clone()
    lone = torch.randn(1, 4, 5, 5)
    trained = pool(lone)
    assert torch.equal(pool.norm.running_mean, before)
    assert torch.equal(trained, pool.eval()(lone))
    pool.train()(torch.randn(2, 4, 5, 5))
    assert not torch.equal(pool.norm.running_mean, before)
    assert nn.SyncBatchNorm.convert_sync_batchnorm(pool)(lone).shape == (1, 3, 5, 5)


@pytest.mark.parametrize("kind", [DeepLabV3, DeepLabV3Plus])
def test_a_batch_of_one_can_be_trained(kind: type[DeepLabV3 | DeepLabV3Plus]) -> None:
    network = kind(3, **SMALL).train()
    network(torch.rand(1, 3, 48, 48)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@torch.no_grad()
def test_align_corners_keeps_the_corner_logits(network: DeepLabV3Plus) -> None:
    images = torch.rand(1, 3, 61, 61)
    assert not network.align_corners
    coarse, plain = network.classify(network.features(images)), network(images)
    network.align_corners = True
    try:
        coarse_aligned, aligned = network.classify(network.features(images)), network(images)
    finally:
        network.align_corners = False
    for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert torch.allclose(aligned[..., y, x], coarse_aligned[..., y, x], atol=1e-5)
    # 16 to 61 pixels: with aligned corners every fourth pixel is a coarse one
    assert torch.allclose(aligned[..., ::4, ::4], coarse_aligned, atol=1e-5)
    assert not torch.allclose(plain[..., ::4, ::4], coarse, atol=1e-3)


def test_weights_are_drawn_by_fan_in() -> None:
    torch.manual_seed(0)
    network = DeepLabV3Plus(4, "mobilenetv3_small_100", width=64)
    for layer in (network.project, network.fuse[0], network.fuse[3], network.aspp.branches[2][0]):
        fan_in = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_other_output_strides_are_the_users_error() -> None:
    with pytest.raises(UserError, match="output stride 32, expected 8 or 16"):
        DeepLabV3Plus(3, output_stride=32)
