"""A compact DeepLabV3+-style network that trains from scratch on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.models.aspp import ASPP, conv_norm
from seglift.models.encoders import create_encoder
from seglift.models.network import SegmentationNetwork


class CompactDeepLab(SegmentationNetwork):
    """Encoder at output stride 16, plain ASPP, fusion with low-level features at stride 4 (DeepLabV3+).

    The layout of Zhu et al. (CVPR 2019): low-level 1x1 to 48 channels, concatenation, two 3x3 convolutions, classifier;
    narrower, and on any encoder that timm has, randomly initialised.

    Args:
        num_classes: number C of output channels.
        encoder: name of a timm network that gives features at strides 4 and ``output_stride``.
        width: channels of the ASPP branches and of the decoder (F of :meth:`features`).
        low_level: channels to which the features at stride 4 are projected.
        rates: dilations of the ASPP.
        output_stride: stride of the deepest features, 8, 16 or 32.
        coordinates: appends x and y, each -1..1 over the image, to the decoder's input. It helps where every image
            is seen whole and upright from one camera; crops see their own -1..1.
        dropout: share of decoder channels dropped while training, 0..1.

    Raises:
        UserError: timm has no such encoder, or it cannot give the features wanted.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = "mobilenetv3_small_100",
        width: int = 96,
        low_level: int = 48,
        rates: Sequence[int] = (6, 12, 18),
        output_stride: int = 16,
        coordinates: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(num_classes, feature_channels=width)
        self.coordinates = coordinates
        made = create_encoder(encoder, output_stride)
        self.encoder, self._low = made.module, made.low
        self.aspp = ASPP(made.channels[-1], width, rates)
        self.low_level = conv_norm(made.channels[made.low], low_level, 1)
        self.fuse = nn.Sequential(
            conv_norm(width + low_level + 2 * coordinates, width, 3),
            conv_norm(width, width, 3),
            nn.Dropout2d(dropout),
        )
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to the decoder's features float32 [B, width, ~H/4, ~W/4]."""
        maps = self.encoder(self.normalise(images))
        low = self.low_level(maps[self._low])
        deep = F.interpolate(self.aspp(maps[-1]), size=low.shape[-2:], mode="bilinear", align_corners=False)
        parts = [deep, low]
        if self.coordinates:
            parts.append(coordinate_channels(low))
        fused: Tensor = self.fuse(torch.cat(parts, dim=1))
        return fused

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, width, h, w] to logits float32 [B, C, h, w]."""
        logits: Tensor = self.classifier(features)
        return logits


def coordinate_channels(like: Tensor) -> Tensor:
    """Pixel centres' x and y scaled to -1..1, as [B, 2, h, w] with batch, size, type and device of ``like``."""
    batch, _, height, width = like.shape
    axes = [(2 * torch.arange(n, dtype=like.dtype, device=like.device) + 1) / n - 1 for n in (height, width)]
    y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y]).expand(batch, 2, height, width)
