"""Hierarchical multi-scale attention: the network says, pixel by pixel, how far the coarser scale is to be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.models.hrnet import W48
from seglift.models.network import SegmentationNetwork
from seglift.models.ocr_networks import OCRNetwork, hrnet_ocr

ATTENTION_WIDTH = 256
SCALES = (0.5, 1.0, 2.0)


class MultiScaleAttention(SegmentationNetwork):
    """Tao et al., "Hierarchical Multi-Scale Attention for Semantic Segmentation" (2020), around an OCR network.

    Training looks at the image at ``low_scale`` and at 1. Evaluation goes through ``scales`` from the finest to the
    coarsest; the attention of the coarser of two neighbours weighs the two, so that any number of scales can be chained
    after training with two. Logits are blended at the images' resolution.

    Args:
        network: looks at one scale.
        attention: channels within the attention head.
        scales: scales of evaluation, 1 among them.
        low_scale: the coarser scale of training, between 0 and 1.

    Raises:
        UserError: no scale is 1, one is not positive or comes twice, or ``low_scale`` is not between 0 and 1.
    """

    def __init__(
        self,
        network: OCRNetwork,
        attention: int = ATTENTION_WIDTH,
        scales: Sequence[float] = SCALES,
        low_scale: float = 0.5,
    ) -> None:
        super().__init__(network.num_classes, network.feature_channels)
        if 1 not in scales or min(scales) <= 0 or len(set(scales)) < len(scales):
            raise UserError(f"scales {list(scales)}: expected positive, distinct ones with 1 among them; change scales")
        if not 0 < low_scale < 1:
            raise UserError(f"low_scale {low_scale}: expected a number between 0 and 1; change low_scale")
        self.scales = tuple(sorted((float(scale) for scale in scales), reverse=True))
        self.low_scale = float(low_scale)
        self.network = network
        self.attention = attention_head(network.feature_channels, attention)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to contextual features float32 [B, F, h, w], of scale 1 alone."""
        return self.network.features(images)

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, F, h, w] to logits float32 [B, C, h, w] of that scale alone."""
        return self.network.classify(features)

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """Logits float32 [B, C, H, W] of training, at two scales, in either mode.

        ``main`` and ``aux`` are the blends of the two scales' logits and auxiliary logits; ``scale_1.0`` and, as its
        scale is, ``scale_0.5`` each scale's own logits.
        """
        low, low_aux, weight = self._look(_scaled(images, self.low_scale))
        high, high_aux, _ = self._look(images)
        return {
            "main": _blend(low, weight, high),
            "aux": _blend(low_aux, weight, high_aux),
            f"scale_{self.low_scale}": _resized(low, images),
            "scale_1.0": high,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to blended logits float32 [B, C, H, W].

        Of the two scales of training in training mode, of ``scales`` in evaluation.
        """
        if self.training:
            return self.outputs(images)["main"]
        finest, *coarser = self.scales
        blended: Tensor = self.network(_scaled(images, finest))
        for scale in coarser:
            view = _scaled(images, scale)
            contextual = self.features(view)
            logits, weight = (_resized(maps, view) for maps in (self.classify(contextual), self.attention(contextual)))
            if scale >= 1:
                blended = _resized(blended, logits)
            blended = _blend(logits, weight, blended)
        return blended

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, auxiliary logits [B, C, h, w] and attention [B, 1, h, w] in 0..1 at the size of the given images."""
        contextual, guess = self.network.look(images)
        logits, weight = self.classify(contextual), self.attention(contextual)
        return _resized(logits, images), _resized(guess, images), _resized(weight, images)


def attention_head(inputs: int, width: int = ATTENTION_WIDTH) -> nn.Sequential:
    """Two 3x3 convolutions, a 1x1 one to a single channel and a sigmoid: [B, inputs, h, w] -> [B, 1, h, w] in 0..1."""
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 1, 1, bias=False),
        nn.Sigmoid(),
    )


def hrnet_ocr_msa(
    num_classes: int,
    scales: Sequence[float] = SCALES,
    low_scale: float = 0.5,
    widths: Sequence[int] = W48,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    stem: int = 64,
    width: int = 512,
    keys: int = 256,
    attention: int = ATTENTION_WIDTH,
) -> MultiScaleAttention:
    """Multi-scale attention around HRNet with OCR head; as given HRNet-W48, and smaller where the arguments say so.

    Args:
        num_classes: number C of output channels.
        scales: scales of evaluation, 1 among them.
        low_scale: the coarser scale of training.
        widths: channels of HRNet's branches, see :class:`~seglift.models.hrnet.HRNet`, as are the next three.
        modules: modules in its stages.
        blocks: residual blocks in its branches.
        stem: channels of its first convolutions.
        width: channels of the contextual features.
        keys: channels in which the OCR head compares pixels and classes.
        attention: channels within the attention head.
    """
    network = hrnet_ocr(num_classes, widths, modules, blocks, stem, width, keys)
    return MultiScaleAttention(network, attention, scales, low_scale)


def _blend(coarse: Tensor, weight: Tensor, fine: Tensor) -> Tensor:
    """``weight`` of the coarse logits and the rest of the fine ones; what is smaller is weighted, then enlarged."""
    return _resized(weight * coarse, fine) + (1 - _resized(weight, fine)) * fine


def _scaled(images: Tensor, scale: float) -> Tensor:
    """Images [B, 3, H, W] at ``scale`` times their size, rounded down but at least one pixel."""
    height, width = (max(1, math.floor(side * scale)) for side in images.shape[-2:])
    return F.interpolate(images, size=(height, width), mode="bilinear", align_corners=False)


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    """Maps [B, any, any, any] at the size of ``like``; those of that size already come back as they are."""
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)
