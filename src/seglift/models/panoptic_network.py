"""What a panoptic network offers: all that a segmentation network does, and where instances are."""

from __future__ import annotations

import abc

from torch import Tensor, nn

from seglift.models.network import SegmentationNetwork
from seglift.models.panoptic_output import PanopticOutput

PREDICTOR_STD = 1e-3


class PanopticNetwork(SegmentationNetwork):
    """A segmentation network that also finds the centres of instances and the way to them.

    Used as a segmentation network it computes nothing of instances.
    """

    @abc.abstractmethod
    def panoptic(self, images: Tensor) -> PanopticOutput:
        """Images float32 [B, 3, H, W] in 0..1 to maps [B, ..., H, W].

        ``semantic`` is what :meth:`forward` gives. Heatmaps and offsets are not bounded.
        """


def instance_predictor(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution that at first gives almost 0, the value of most of a heatmap: [B, inputs, h, w] to outputs."""
    layer = nn.Conv2d(inputs, outputs, 1)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=PREDICTOR_STD)
    return layer
