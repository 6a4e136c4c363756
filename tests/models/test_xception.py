from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from seglift.models.xception import Xception71


@pytest.fixture(scope="module")
def network() -> Xception71:
    torch.manual_seed(0)
    return Xception71(16).eval()


@torch.no_grad()
def test_taps_are_the_second_separable_convolutions_before_their_relu(network: Xception71) -> None:
    seen: dict[int, torch.Tensor] = {}
    hooks = [
        network.blocks[index].stack.conv2.register_forward_hook(
            lambda _, __, output, index=index: seen.__setitem__(index, output.clone())
        )
        for index in (2, 4)
    ]
    images = torch.randn(1, 3, 64, 64)
    maps = network(images)
    for hook in hooks:
        hook.remove()
    assert [tuple(each.shape) for each in maps] == [(1, 256, 16, 16), (1, 728, 8, 8), (1, 2048, 4, 4)]
    assert torch.equal(maps[0], seen[2]) and torch.equal(maps[1], seen[4])
    assert (maps[0] < 0).any() and (maps[1] < 0).any()


@torch.no_grad()
def test_the_end_is_that_of_timms_network(network: Xception71) -> None:
    whole = timm.create_model("xception71", pretrained=False, num_classes=0, output_stride=16).eval()
    whole.load_state_dict(network.state_dict())
    images = torch.randn(1, 3, 64, 64)
    assert torch.allclose(whole.forward_features(images), network(images)[-1], atol=1e-5)


@pytest.mark.parametrize(("output_stride", "exits", "middle"), [(8, (2, 4), 2), (16, (1, 2), 1), (32, (1, 1), 1)])
def test_dilations(output_stride: int, exits: tuple[int, int], middle: int) -> None:
    with torch.device("meta"):
        network = Xception71(output_stride)
    depthwise = [
        {m.dilation[0] for m in block.modules() if isinstance(m, nn.Conv2d) and m.groups > 1}
        for block in network.blocks
    ]
    assert depthwise[:5] == [{1}] * 5
    assert depthwise[5:21] == [{middle}] * 16
    assert depthwise[21:] == [{exits[0]}, {exits[1]}]
    strides = [block.stack[-1].conv_dw.stride[0] for block in network.blocks]
    assert strides == [2, 1, 2, 1, 1 if output_stride == 8 else 2, *[1] * 16, 2 if output_stride == 32 else 1, 1]
