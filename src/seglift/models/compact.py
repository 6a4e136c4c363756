"""A compact DeepLabV3+-style network that trains from scratch on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.models.aspp import ASPP, conv_norm
from seglift.models.network import SegmentationNetwork

LOW_LEVEL_STRIDE = 4


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
        self.encoder, channels, strides = _create_encoder(encoder, output_stride)
        self._low = strides.index(LOW_LEVEL_STRIDE)
        self.aspp = ASPP(channels[-1], width, rates)
        self.low_level = conv_norm(channels[self._low], low_level, 1)
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


def _create_encoder(name: str, output_stride: int) -> tuple[nn.Module, list[int], list[int]]:
    """The encoder, and channels and stride of each feature map it gives."""
    if name not in timm.list_models():
        near = timm.list_models(f"*{name.split('_', maxsplit=1)[0]}*")[:5]
        hint = f"near it: {', '.join(near)}" if near else "see timm.list_models()"
        raise UserError(f"no encoder is called {name!r}; give the name of a timm network ({hint})")
    try:
        encoder = timm.create_model(name, pretrained=False, features_only=True, output_stride=output_stride)
    except (TypeError, NotImplementedError, AssertionError) as error:
        raise UserError(
            f"encoder {name} has no features at output stride {output_stride} ({error}); choose a convolutional one"
        ) from error
    strides: list[int] = encoder.feature_info.reduction()
    if LOW_LEVEL_STRIDE not in strides or strides[-1] != output_stride:
        raise UserError(
            f"encoder {name} gives features at strides {strides}, expected {LOW_LEVEL_STRIDE} and {output_stride};"
            " choose another encoder or output stride"
        )
    return encoder, list(encoder.feature_info.channels()), strides
