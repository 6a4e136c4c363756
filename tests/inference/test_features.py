"""The one interface to what a refiner reads of a segmentation model: its features."""

from __future__ import annotations

import pytest
import torch

from seglift.inference.checkpoint import CheckpointModel
from seglift.inference.class_mapping import ClassMapping
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import feature_channels
from seglift.models.zoo import build

SMALL_HRNET = {"widths": [4, 8, 8, 8], "modules": [1, 1, 1], "blocks": 1, "stem": 8}


@pytest.mark.parametrize(
    ("architecture", "arguments", "channels", "stride"),
    [
        ("hrnet_w48_ocr", SMALL_HRNET, 512, 4),
        ("hrnet_w48_ocr_msa", SMALL_HRNET, 512, 4),
        ("deeplabv3plus", {"encoder": "mobilenetv3_small_050"}, 256, 4),
        ("compact_deeplab", {}, None, 4),
        ("compact_unet", {}, 32, 2),
    ],
)
@pytest.mark.parametrize("around", [False, True])
def test_features_are_those_of_the_decoder(architecture, arguments, channels, stride, around):
    network = build({"architecture": architecture, "arguments": {**arguments, "num_classes": 3}}, seed=0)
    identity = ClassMapping(((0,), (1,), (2,)), (), ())
    model = CheckpointModel(network, ("a", "b", "c"), identity, None)
    images = torch.rand(1, 3, 64, 96)
    features = (Predictor(model) if around else model).features(images)
    assert features.shape == (1, channels or network.feature_channels, 64 // stride, 96 // stride)
    assert torch.equal(features, network.features(images.contiguous(memory_format=torch.channels_last)))
    assert feature_channels(model) == features.shape[1]


def test_the_published_widths():
    with torch.device("meta"):
        for architecture, channels in (("hrnet_w48_ocr_msa", 512), ("ocr_resnext50", 512), ("deeplabv3plus", 256)):
            network = build({"architecture": architecture, "arguments": {"num_classes": 19}})
            assert network.feature_channels == channels
