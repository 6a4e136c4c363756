from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.models.sdcnet import FLOW_MEAN, FLOW_STD, SdcNet, build_sdcnet, pad_to_multiple


def inputs(frames: int, height: int = 20, width: int = 36, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(frames)
    images = torch.rand(batch, frames, 3, height, width, generator=generator)
    return images, 5 * torch.randn(batch, frames - 1, 2, height, width, generator=generator)


@pytest.mark.parametrize(("variant", "count"), [("reconstruction", 9_698_420), ("prediction", 9_690_490)])
def test_as_many_parameters_as_the_released_networks(variant: str, count: int):
    with torch.device("meta"):
        network = SdcNet(variant)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 130), (1, 1), (20, 36), (40, 127)])
def test_any_size_comes_back(height: int, width: int):
    network = SdcNet("prediction", width_mult=0.1)
    assert network(*inputs(2, height, width)).shape == (2, 2, height, width)


@pytest.mark.parametrize(("variant", "frames"), [("reconstruction", 3), ("prediction", 2)])
def test_a_network_that_starts_from_flow_gives_the_last_one(variant: str, frames: int):
    network = SdcNet(variant, width_mult=0.2, flow_mean=(1.0, -2.0), flow_std=(3.0, 0.5), start_from_flow=True)
    images, flows = inputs(frames)
    assert torch.allclose(network(images, flows), flows[:, -1], atol=1e-5)
    network(images, flows).square().mean().backward()
    assert network.final_flow.weight.grad is not None and network.final_flow.weight.grad[:, -1].any()


def test_the_released_initialisation():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SdcNet("prediction", width_mult=0.5)
    hidden = network.get_submodule("conv1")[0].bias.detach()
    assert 0 <= float(hidden.min()) < float(hidden.max()) <= 1
    # a transposed convolution keeps torch's own, which is small and of either sign
    transposed = network.get_submodule("deconv5")[0].bias.detach()
    assert float(transposed.min()) < 0 and float(transposed.abs().max()) < 0.1


def test_images_lose_their_common_colour_only():
    network = SdcNet("reconstruction", width_mult=0.1)
    images, flows = inputs(3)
    shifted = images + torch.tensor([0.3, -0.2, 0.1]).view(1, 1, 3, 1, 1)
    assert torch.allclose(network(images, flows), network(shifted, flows), atol=1e-4)
    brighter = images.clone()
    brighter[:, 1] += 0.3
    assert not torch.allclose(network(images, flows), network(brighter, flows), atol=1e-2)


def test_no_mixing_between_the_images_of_a_batch():
    network = SdcNet("prediction", width_mult=0.1)
    images, flows = inputs(2)
    assert torch.allclose(network(images, flows)[1:], network(images[1:], flows[1:]), atol=1e-5)


def test_the_motion_is_in_pixels_of_the_statistics():
    network = SdcNet("prediction", width_mult=0.1)
    torch.nn.init.zeros_(network.final_flow.weight)
    torch.nn.init.ones_(network.final_flow.bias)
    expected = torch.tensor([3 * std + mean for mean, std in zip(FLOW_MEAN, FLOW_STD, strict=True)])
    assert torch.allclose(network(*inputs(2))[0, :, 3, 3], expected)


@pytest.mark.parametrize(
    ("frames", "change"), [(2, lambda a, b: (a, b)), (3, lambda a, b: (a, b[:, :1])), (3, lambda a, b: (a[..., 1:], b))]
)
def test_inputs_that_do_not_fit(frames: int, change):
    with pytest.raises(ValueError, match="expected"):
        SdcNet("reconstruction", width_mult=0.1)(*change(*inputs(frames)))


@pytest.mark.parametrize("arguments", [{"variant": "both"}, {"width_mult": 0}, {"flow_std": (1.0, 0.0)}])
def test_impossible_arguments(arguments: dict[str, object]):
    with pytest.raises(ValueError, match="expected"):
        SdcNet(**arguments)
    with pytest.raises(UserError, match="cannot be built"):
        build_sdcnet({"architecture": "sdcnet2d", "arguments": arguments})


def test_built_from_plain_values():
    config = {"architecture": "sdcnet2d", "arguments": {"variant": "prediction", "width_mult": 0.1}}
    before = torch.random.get_rng_state()
    first, second, other = (build_sdcnet(config, seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.final_flow.weight, second.final_flow.weight)
    assert not torch.equal(first.final_flow.weight, other.final_flow.weight)
    with pytest.raises(UserError, match="no motion network is called 'unet'"):
        build_sdcnet({"architecture": "unet"})
    with pytest.raises(UserError, match="no argument depth"):
        build_sdcnet({"architecture": "sdcnet2d", "arguments": {"depth": 3}})


def test_padding_mirrors_where_there_is_enough():
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 5, 5)
    assert pad_to_multiple(ramp, 8)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_to_multiple(ramp[..., :2], 8)[0, 0, 0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert pad_to_multiple(ramp, 5) is ramp


def test_mixed_precision_keeps_the_motion_of_the_last_layer_exact():
    network = SdcNet("reconstruction", width_mult=0.2, start_from_flow=True)
    images, flows = inputs(3)
    with torch.autocast("cpu", torch.bfloat16):
        motion = network(images, flows)
    assert motion.dtype == torch.float32
    assert torch.allclose(motion, flows[:, -1], atol=1e-4)
