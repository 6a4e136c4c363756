from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.models.published import load_published, load_published_motion, load_published_segmentation
from seglift.models.published_sdcnet import PublishedMotion
from seglift.models.sdcnet import SdcNet, build_sdcnet

LAYERS = {"conv1": 2, "conv2": 2, "conv3": 2, "conv3_1": 1, "conv4": 2, "conv4_1": 1, "conv5": 2, "conv5_1": 1}
LAYERS |= {"conv6": 2, "conv6_1": 1}
SKIPS = {5: "conv5_1", 4: "conv4_1", 3: "conv3_1", 2: "conv2", 1: "conv1"}


def released(variant: str, prefix: str = "") -> dict[str, Tensor]:
    """A checkpoint with the names of the release: the network, a buffer that nothing reads, its frozen FlowNet2."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = SdcNet(variant)
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tensors |= {"rgb_mean": torch.zeros(1, 3, 1, 1), "flownet2.flownetc.conv1.0.weight": torch.zeros(2, 2)}
    return {prefix + name: tensor for name, tensor in tensors.items()}


def as_released(tensors: dict[str, Tensor], images: list[Tensor], flows: list[Tensor]) -> Tensor:
    """The released network written out: images BGR [B, 3, H, W] in 0..255, flows [B, 2, H, W], sizes fit."""
    mean = torch.stack(images, 2).flatten(2).mean(2)[..., None, None]
    planes = torch.stack([(image - mean) / 255 for image in images], 2).flatten(1, 2)
    scale = 3 * tensors["flow_std"]
    vectors = torch.stack([(flow - tensors["flow_mean"]) / scale for flow in flows], 2).flatten(1, 2)
    x = start = torch.cat((vectors, planes), 1)
    known = {}
    for name, stride in LAYERS.items():
        weight = tensors[f"{name}.0.weight"]
        x = F.conv2d(x, weight, tensors[f"{name}.0.bias"], stride, (weight.shape[2] - 1) // 2)
        known[name] = x = F.leaky_relu(x, 0.1)
    for level in (5, 4, 3, 2, 1, 0):
        x = F.conv_transpose2d(x, tensors[f"deconv{level}.0.weight"], tensors[f"deconv{level}.0.bias"], 2, 1)
        x = torch.cat((known[SKIPS[level]] if level else start, F.leaky_relu(x, 0.1)), 1)
    out = F.conv2d(x, tensors["final_flow.weight"], tensors["final_flow.bias"], padding=1)
    return scale * out + tensors["flow_mean"]


@pytest.mark.parametrize(("variant", "frames"), [("reconstruction", 3), ("prediction", 2)])
def test_the_release_gives_the_same_motion_for_rgb(tmp_path: Path, variant: str, frames: int):
    torch.save({"epoch": 500, "state_dict": released(variant, "module.")}, tmp_path / "sdc.pth.tar")
    found = load_published_motion(tmp_path / "sdc.pth.tar")
    assert found.config["arguments"] == {"variant": variant}
    network = build_sdcnet(found.config)
    network.load_state_dict(found.tensors)
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(1, frames, 3, 64, 128, generator=generator)
    flows = 8 * torch.randn(1, frames - 1, 2, 64, 128, generator=generator)
    bgr = [255 * image.flip(1) for image in images.unbind(1)]
    expected = as_released(released(variant), bgr, list(flows.unbind(1)))
    with torch.no_grad():
        assert torch.allclose(network(images, flows), expected, rtol=1e-4, atol=1e-3)
    assert expected.std() > 1


@pytest.mark.skipif("SEGLIFT_DATA" not in os.environ, reason="SEGLIFT_DATA is unset")
@pytest.mark.parametrize("variant", ["reconstruction", "prediction"])
def test_names_and_shapes_of_the_release(variant: str):
    listing = Path(os.environ["SEGLIFT_DATA"]) / "reference" / f"nvidia_sdcnet2d_{variant}.txt"
    if not listing.is_file():
        pytest.skip(f"no {listing.name} in SEGLIFT_DATA")
    published = dict(line.split()[:2] for line in listing.read_text().splitlines())
    ours = {name: "x".join(map(str, tensor.shape)) for name, tensor in SdcNet(variant).state_dict().items()}
    assert published.keys() - ours.keys() == {"rgb_mean"}
    assert {name: published[name] for name in ours} == ours


def test_what_is_wrong_is_named(tmp_path: Path):
    tensors = released("reconstruction")
    del tensors["conv4.0.bias"]
    tensors["conv6.0.weight"] = torch.zeros(4, 4, 3, 3)
    tensors["conv7.0.weight"] = torch.zeros(1)
    torch.save(tensors, tmp_path / "broken.pth")
    with pytest.raises(UserError) as caught:
        load_published(tmp_path / "broken.pth")
    for part in ("conv4.0.bias is missing", "conv6.0.weight is 4x4x3x3, expected 512x256x3x3", "3 differences"):
        assert part in str(caught.value)


def test_each_kind_is_told_from_the_other(tmp_path: Path):
    torch.save(released("prediction"), tmp_path / "sdc.pth")
    assert isinstance(load_published(tmp_path / "sdc.pth"), PublishedMotion)
    with pytest.raises(UserError, match="a motion network; expected a segmentation network"):
        load_published_segmentation(tmp_path / "sdc.pth")
