"""Panoptic-DeepLab: one encoder, an ASPP and decoder each for classes and for instances.

Cheng et al., "Panoptic-DeepLab: A Simple, Strong, and Fast Baseline for Bottom-Up Panoptic Segmentation" (CVPR 2020),
section 3.1, with the widths of its release; the network of Naive-Student (Chen et al., ECCV 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seglift.models.aspp import ASPP, conv_norm
from seglift.models.deeplab import RATES_STRIDE, initialise_kaiming
from seglift.models.encoders import Encoder, create_encoder
from seglift.models.panoptic_network import PanopticNetwork, instance_predictor
from seglift.models.panoptic_output import PanopticOutput, resize_aligned, resize_offset

SKIP_STRIDES = (8, 4)
SEMANTIC_SKIPS = (64, 32)
INSTANCE_SKIPS = (32, 16)
INSTANCE_HEAD = 32
FUSE_KERNEL = 5


class PanopticDecoder(nn.Module):
    """ASPP, then twice upsampled and fused with the encoder's features, at strides 8 and 4.

    Args:
        encoder: whose maps it is given; it needs some at strides 4 and 8.
        aspp_width: channels of the ASPP.
        width: channels of the result.
        skips: channels to which the encoder's features at strides 8 and 4 are projected.
        rates: dilations of the ASPP.
        dropout: share of the ASPP's values dropped in training.
        separable: see :func:`fuse_conv`.
    """

    def __init__(
        self,
        encoder: Encoder,
        aspp_width: int,
        width: int,
        skips: Sequence[int],
        rates: Sequence[int],
        dropout: float,
        separable: bool,
    ) -> None:
        super().__init__()
        self._skips = [encoder.strides.index(stride) for stride in SKIP_STRIDES]
        self.aspp = nn.Sequential(ASPP(encoder.channels[-1], aspp_width, rates), nn.Dropout(dropout))
        self.project = nn.ModuleList(
            conv_norm(encoder.channels[index], skip, 1) for index, skip in zip(self._skips, skips, strict=True)
        )
        inputs = (aspp_width + skips[0], width + skips[1])
        self.fuse = nn.ModuleList(fuse_conv(before, width, separable) for before in inputs)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The encoder's maps to [B, width, ~H/4, ~W/4]."""
        x: Tensor = self.aspp(maps[-1])
        for index, project, fuse in zip(self._skips, self.project, self.fuse, strict=True):
            skip = project(maps[index])
            x = fuse(torch.cat((resize_aligned(x, skip.shape[-2:]), skip), dim=1))
        return x


class PanopticDeepLab(PanopticNetwork):
    """Semantic logits, centre heatmap and offsets, predicted at stride 4 and upsampled with aligned corners.

    Offsets are predicted in pixels of stride 4, and scaled when upsampled. Images of 16 n + 1 pixels a side (Cityscapes
    padded to 1025 x 2049) have corners that align all the way.

    Args:
        num_classes: number C of classes.
        encoder: see :func:`~seglift.models.encoders.create_encoder`.
        output_stride: stride of the encoder's deepest features, 8, 16 or 32.
        width: channels of both ASPPs and of the semantic decoder.
        instance_width: channels of the instance decoder.
        rates: dilations of the ASPPs at output stride 16; in proportion at others.
        dropout: share of the ASPPs' values dropped in training.
        separable: whether the 5x5 convolutions of decoders and heads are depth-wise separable, as in Panoptic-DeepLab;
            the numbers of parameters that Naive-Student prints for its WideResNets are those of plain ones.

    Raises:
        UserError: no such encoder, or another output stride.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = "resnet50",
        output_stride: int = 16,
        width: int = 256,
        instance_width: int = 128,
        rates: Sequence[int] = (6, 12, 18),
        dropout: float = 0.1,
        separable: bool = True,
    ) -> None:
        super().__init__(num_classes, feature_channels=width)
        made = create_encoder(encoder, output_stride)
        self.encoder = made.module
        scaled = [max(1, rate * RATES_STRIDE // output_stride) for rate in rates]
        self.semantic_decoder = PanopticDecoder(made, width, width, SEMANTIC_SKIPS, scaled, dropout, separable)
        self.semantic_head = fuse_conv(width, width, separable)
        self.classifier = nn.Conv2d(width, num_classes, 1)
        self.instance_decoder = PanopticDecoder(made, width, instance_width, INSTANCE_SKIPS, scaled, dropout, separable)
        self.centre_head = fuse_conv(instance_width, INSTANCE_HEAD, separable)
        self.offset_head = fuse_conv(instance_width, INSTANCE_HEAD, separable)
        decoders = (self.semantic_decoder, self.instance_decoder)
        initialise_kaiming(*decoders, self.semantic_head, self.classifier, self.centre_head, self.offset_head)
        self.centre = instance_predictor(INSTANCE_HEAD, 1)
        self.offset = instance_predictor(INSTANCE_HEAD, 2)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to the semantic head's features float32 [B, width, ~H/4, ~W/4]."""
        return self._semantic_features(self.encoder(self.normalise(images)))

    def _semantic_features(self, maps: Sequence[Tensor]) -> Tensor:
        features: Tensor = self.semantic_head(self.semantic_decoder(maps))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, width, h, w] to logits float32 [B, C, h, w]."""
        logits: Tensor = self.classifier(features)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W]."""
        return resize_aligned(self.classify(self.features(images)), images.shape[-2:])

    def panoptic(self, images: Tensor) -> PanopticOutput:
        """See :meth:`PanopticNetwork.panoptic`."""
        size = images.shape[-2:]
        maps = self.encoder(self.normalise(images))
        semantic = resize_aligned(self.classify(self._semantic_features(maps)), size)
        instances = self.instance_decoder(maps)
        centre = resize_aligned(self.centre(self.centre_head(instances)), size)
        return PanopticOutput(semantic, centre, resize_offset(self.offset(self.offset_head(instances)), size))


def fuse_conv(inputs: int, outputs: int, separable: bool) -> nn.Sequential:
    """A 5x5 convolution with batch norm and ReLU: [B, inputs, h, w] -> [B, outputs, h, w].

    Args:
        inputs: channels.
        outputs: channels.
        separable: whether it is a depth-wise 5x5 convolution with batch norm and ReLU, and then a 1x1.
    """
    if not separable:
        return conv_norm(inputs, outputs, FUSE_KERNEL)
    depthwise = nn.Conv2d(inputs, inputs, FUSE_KERNEL, padding=FUSE_KERNEL // 2, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), *conv_norm(inputs, outputs, 1))
