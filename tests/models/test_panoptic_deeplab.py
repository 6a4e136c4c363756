from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.models.encoders import Encoder
from seglift.models.panoptic_deeplab import PanopticDecoder, PanopticDeepLab
from seglift.models.zoo import PANOPTIC_NETWORKS, build, build_panoptic

SMALL = {"encoder": "mobilenetv3_small_100", "width": 16, "instance_width": 12}


@pytest.fixture(scope="module")
def network() -> PanopticDeepLab:
    torch.manual_seed(0)
    return PanopticDeepLab(5, **SMALL).eval()


@pytest.mark.parametrize("name", PANOPTIC_NETWORKS)
def test_every_name_gives_maps_of_the_size_of_the_input(name: str) -> None:
    config = {"architecture": name, "arguments": {"num_classes": 7}}
    with torch.device("meta"):
        network, images = build_panoptic(config).eval(), torch.zeros(2, 3, 72, 100)
        output = network.panoptic(images)
        assert [tuple(m.shape) for m in (output.semantic, output.centre, output.offset)] == [
            (2, 7, 72, 100),
            (2, 1, 72, 100),
            (2, 2, 72, 100),
        ]
        assert network(images).shape == (2, 7, 72, 100)
        assert network.features(images).shape[1] == network.feature_channels
        assert type(build(config)) is type(network)


@pytest.mark.parametrize(("layers", "millions"), [(38, 173.75), (41, 147.27)])
def test_parameter_counts_that_naive_student_prints(layers: int, millions: float) -> None:
    config = {"architecture": f"panoptic_deeplab_wideresnet{layers}", "arguments": {"num_classes": 19}}
    with torch.device("meta"):
        network = build_panoptic(config)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("output_stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9])], ids=["8", "16", "32"]
)
def test_both_decoders_are_the_published_ones(output_stride: int, rates: list[int]) -> None:
    with torch.device("meta"):
        network = PanopticDeepLab(19, output_stride=output_stride)
        expected = ((network.semantic_decoder, 256, (64, 32)), (network.instance_decoder, 128, (32, 16)))
        for decoder, width, skips in expected:
            pyramid, dropout = decoder.aspp
            assert [branch[0].dilation[0] for branch in pyramid.branches[2:]] == rates
            assert pyramid.branches[1][0].weight.shape == (256, 2048, 1, 1)
            assert dropout.p == 0.1
            assert [p[0].weight.shape[:2] for p in decoder.project] == [(skips[0], 512), (skips[1], 256)]
            kernels = [[tuple(m.weight.shape) for m in fuse if isinstance(m, nn.Conv2d)] for fuse in decoder.fuse]
            inputs = (256 + skips[0], width + skips[1])
            assert kernels == [[(n, 1, 5, 5), (width, n, 1, 1)] for n in inputs]
    heads = (network.semantic_head, network.centre_head, network.offset_head)
    assert [head[3].weight.shape[:2] for head in heads] == [(256, 256), (32, 128), (32, 128)]
    assert [m.weight.shape[:2] for m in (network.classifier, network.centre, network.offset)] == [
        (19, 256),
        (1, 32),
        (2, 32),
    ]


def test_plain_convolutions_in_place_of_separable_ones() -> None:
    with torch.device("meta"):
        network = PanopticDeepLab(19, separable=False)
    fuses = [*network.semantic_decoder.fuse, *network.instance_decoder.fuse, network.semantic_head, network.offset_head]
    shapes = [[tuple(m.weight.shape) for m in fuse if isinstance(m, nn.Conv2d)] for fuse in fuses]
    pairs = [(256, 320), (256, 288), (128, 288), (128, 144), (256, 256), (32, 128)]
    assert shapes == [[(*pair, 5, 5)] for pair in pairs]


@torch.no_grad()
def test_skips_come_from_strides_8_and_4() -> None:
    torch.manual_seed(0)
    strides, channels = (2, 4, 4, 8, 16), (3, 4, 5, 6, 7)
    decoder = PanopticDecoder(Encoder(nn.Identity(), channels, strides, 1), 8, 6, (3, 2), (1,), 0.1, True).eval()
    maps = [torch.rand(1, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)]
    result = decoder(maps)
    assert result.shape == (1, 6, 16, 24)
    for index, counts in enumerate((False, True, False, True, True)):
        changed = [m + (n == index) for n, m in enumerate(maps)]
        assert torch.equal(decoder(changed), result) is not counts


@torch.no_grad()
def test_semantic_output_is_that_of_the_network_used_as_a_segmentation_network(network: PanopticDeepLab) -> None:
    images = torch.rand(2, 3, 49, 81)
    output = network.panoptic(images)
    assert torch.equal(output.semantic, network(images))
    assert torch.equal(output.semantic, network.outputs(images)["main"])
    logits = network.classify(network.features(images))
    assert logits.shape == (2, 5, 13, 21)
    assert torch.allclose(output.semantic[..., ::4, ::4], logits, atol=1e-5)


@torch.no_grad()
def test_used_as_a_segmentation_network_it_computes_no_instances(network: PanopticDeepLab) -> None:
    ran: list[str] = []
    parts = (network.instance_decoder, network.centre, network.offset)
    hooks = [part.register_forward_hook(lambda *_: ran.append("instances")) for part in parts]
    network(torch.rand(1, 3, 33, 33))
    assert ran == []
    network.panoptic(torch.rand(1, 3, 33, 33))
    assert len(ran) == 3
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def test_offsets_are_in_pixels_of_the_input(network: PanopticDeepLab) -> None:
    images = torch.rand(1, 3, 65, 33)
    kept = network.offset.bias.clone()
    network.offset.bias.copy_(torch.tensor([3.0, -2.0]))
    network.offset.weight.zero_()
    try:
        offset = network.panoptic(images).offset
    finally:
        network.offset.bias.copy_(kept)
    # A grid of 17 x 9 at stride 4: its pixels are 4 of the input's apart.
    assert torch.allclose(offset[0, 0], torch.tensor(12.0)) and torch.allclose(offset[0, 1], torch.tensor(-8.0))


@torch.no_grad()
def test_it_starts_without_centres(network: PanopticDeepLab) -> None:
    fresh = PanopticDeepLab(5, **SMALL).eval()
    output = fresh.panoptic(torch.rand(1, 3, 65, 65))
    assert output.centre.abs().max() < 0.1
    assert output.offset.abs().max() < 0.5


@pytest.mark.parametrize("size", [(48, 48), (33, 50)])
def test_a_batch_of_one_can_be_trained(size: tuple[int, int]) -> None:
    network = PanopticDeepLab(3, **SMALL).train()
    output = network.panoptic(torch.rand(1, 3, *size))
    sum(m.square().mean() for m in (output.semantic, output.centre, output.offset)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_encoders_that_cannot_serve_are_the_users_error() -> None:
    with pytest.raises(UserError, match=r"output stride of 12"):
        PanopticDeepLab(3, output_stride=12)
    with pytest.raises(UserError, match="choose one of: compact_panoptic, panoptic_deeplab, "):
        build_panoptic({"architecture": "deeplabv3plus", "arguments": {"num_classes": 3}})
