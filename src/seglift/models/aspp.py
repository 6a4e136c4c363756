"""Atrous spatial pyramid pooling: the same features seen at several dilations and as a whole (DeepLabV3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_norm(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """A size-keeping convolution without bias, batch norm and ReLU: [B, inputs, h, w] -> [B, outputs, h, w]."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ImagePool(nn.Module):
    """The mean over the image, projected and spread over all pixels.

    It has a bias instead of batch norm: with one value for each image, the statistics of a small batch would be noise.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, h, w], constant over h and w."""
        pooled = torch.relu(self.project(features.mean((2, 3), keepdim=True)))
        return pooled.expand(-1, -1, *features.shape[-2:])


class ASPP(nn.Module):
    """Image pool, 1x1 and one plain dilated 3x3 branch for each rate, concatenated and fused by a 1x1 convolution.

    Plain (not separable) convolutions, as in the DeepLabV3+ of Zhu et al., "Improving Semantic Segmentation via Video
    Propagation and Label Relaxation" (CVPR 2019); rates (6, 12, 18) belong to output stride 16.

    Args:
        inputs: channels of the input.
        width: channels of each branch and of the output.
        rates: dilations of the 3x3 branches.
    """

    def __init__(self, inputs: int, width: int, rates: Sequence[int]) -> None:
        super().__init__()
        dilated = [conv_norm(inputs, width, 3, rate) for rate in rates]
        self.branches = nn.ModuleList([ImagePool(inputs, width), conv_norm(inputs, width, 1), *dilated])
        self.fuse = conv_norm(width * len(self.branches), width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, width, h, w]."""
        fused: Tensor = self.fuse(torch.cat([branch(features) for branch in self.branches], dim=1))
        return fused
