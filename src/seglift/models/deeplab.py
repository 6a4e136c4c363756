"""DeepLabV3 and DeepLabV3+ as the papers train them, on any encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.models.aspp import conv_norm
from seglift.models.encoders import create_encoder
from seglift.models.network import SegmentationNetwork
from seglift.models.pooled_norm import norm_pooled

RATES_STRIDE = 16


class NormedImagePool(nn.Module):
    """The mean over the image, projected, normalised over the batch, rectified and spread over all pixels.

    A training batch of one image has one value for each channel and so no variance; it is normalised by the running
    statistics, which it leaves as they are. Under synchronised batch norm the batch is that of all processes.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, h, w], constant over h and w."""
        pooled = self.project(features.mean((2, 3), keepdim=True))
        return torch.relu(norm_pooled(self.norm, pooled)).expand(-1, -1, *features.shape[-2:])


class PlainASPP(nn.Module):
    """Image pool, 1x1 and one plain dilated 3x3 branch for each rate, each normed and rectified, side by side."""

    def __init__(self, inputs: int, width: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.pool = NormedImagePool(inputs, width)
        dilated = [conv_norm(inputs, width, 3, rate) for rate in rates]
        self.branches = nn.ModuleList([conv_norm(inputs, width, 1), *dilated])

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, width * (2 + rates), h, w]; the image pool comes first."""
        return torch.cat([self.pool(features), *(branch(features) for branch in self.branches)], dim=1)


class DeepLab(SegmentationNetwork):
    """What DeepLabV3 and DeepLabV3+ share: encoder, ASPP and bias-free classifier.

    Args:
        num_classes: number C of output channels.
        encoder: see :func:`~seglift.models.encoders.create_encoder`.
        output_stride: stride of the encoder's deepest features, 8 or 16.
        width: channels of the ASPP's branches and of the decoder.
        rates: dilations of the ASPP at output stride 16; doubled at 8.
        align_corners: of all bilinear upsampling. The released networks of Zhu et al. (CVPR 2019) want True.

    Raises:
        UserError: no such encoder, or another output stride.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = "resnext50_32x4d",
        output_stride: int = 8,
        width: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        align_corners: bool = False,
    ) -> None:
        super().__init__(num_classes, feature_channels=width)
        if output_stride not in (8, 16):
            raise UserError(f"DeepLab was given output stride {output_stride}, expected 8 or 16; choose one of them")
        made = create_encoder(encoder, output_stride)
        self.encoder, self.align_corners = made.module, align_corners
        self._low, self._low_channels = made.low, made.channels[made.low]
        self.aspp = PlainASPP(made.channels[-1], width, [rate * RATES_STRIDE // output_stride for rate in rates])
        self._aspp_channels = width * (2 + len(rates))
        self.classifier = nn.Conv2d(width, num_classes, 1, bias=False)

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, width, h, w] to logits float32 [B, C, h, w]."""
        logits: Tensor = self.classifier(features)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W]."""
        return self._upsample(self.classify(self.features(images)), images)

    def _upsample(self, maps: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=self.align_corners)


class DeepLabV3(DeepLab):
    """ASPP, fused by a 1x1 convolution with batch norm and ReLU, and the classifier: no low-level features.

    Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (2017). Arguments as :class:`DeepLab`.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = "resnext50_32x4d",
        output_stride: int = 8,
        width: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        align_corners: bool = False,
    ) -> None:
        super().__init__(num_classes, encoder, output_stride, width, rates, align_corners)
        self.fuse = conv_norm(self._aspp_channels, width, 1)
        initialise_kaiming(self.aspp, self.fuse, self.classifier)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to features float32 [B, width, ~H/stride, ~W/stride]."""
        fused: Tensor = self.fuse(self.aspp(self.encoder(self.normalise(images))[-1]))
        return fused


class DeepLabV3Plus(DeepLab):
    """ASPP projected to ``width``, upsampled, fused with projected low-level features by two 3x3 convolutions.

    The head that Zhu et al. (CVPR 2019) publish: projections are bare 1x1 convolutions, low-level features come first
    in the concatenation, batch norm and ReLU follow the two 3x3 convolutions, nothing has a bias. Arguments as
    :class:`DeepLab`, and:

    Args:
        low_level: channels to which the low-level features are projected.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = "resnext50_32x4d",
        output_stride: int = 8,
        width: int = 256,
        low_level: int = 48,
        rates: Sequence[int] = (6, 12, 18),
        align_corners: bool = False,
    ) -> None:
        super().__init__(num_classes, encoder, output_stride, width, rates, align_corners)
        self.project = nn.Conv2d(self._aspp_channels, width, 1, bias=False)
        self.low_level = nn.Conv2d(self._low_channels, low_level, 1, bias=False)
        self.fuse = nn.Sequential(*conv_norm(low_level + width, width, 3), *conv_norm(width, width, 3))
        initialise_kaiming(self.aspp, self.project, self.low_level, self.fuse, self.classifier)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to features float32 [B, width, ~H/4, ~W/4] (WideResNet-38: ~H/2)."""
        maps = self.encoder(self.normalise(images))
        low = self.low_level(maps[self._low])
        deep = self._upsample(self.project(self.aspp(maps[-1])), low)
        fused: Tensor = self.fuse(torch.cat([low, deep], dim=1))
        return fused


def initialise_kaiming(*parts: nn.Module) -> None:
    """Draws the weights of all convolutions by He et al. (ICCV 2015), fan in."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
