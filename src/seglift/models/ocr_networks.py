"""Segmentation networks that end in an OCR head: on HRNet, and on encoders like a dilated ResNeXt-50."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from seglift.models.encoders import create_encoder
from seglift.models.hrnet import W48, HRNet
from seglift.models.network import SegmentationNetwork
from seglift.models.ocr import OCRHead


class OCRNetwork(SegmentationNetwork):
    """An encoder and an OCR head; it trains with the head's first guess as auxiliary logits.

    Args:
        num_classes: number C of output channels.
        encoder: from normalised images [B, 3, H, W] to features [B, channels, h, w].
        channels: channels of the encoder's features.
        width: channels F of :meth:`features`.
        keys: channels in which the head compares pixels and classes.
    """

    def __init__(self, num_classes: int, encoder: nn.Module, channels: int, width: int = 512, keys: int = 256) -> None:
        super().__init__(num_classes, feature_channels=width)
        self.encoder = encoder
        self.head = OCRHead(channels, num_classes, width, keys)

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """One pass over images float32 [B, 3, H, W] in 0..1, any H and W.

        Returns:
            The object-contextual features float32 [B, F, h, w] that :meth:`classify` takes, and the auxiliary logits
            float32 [B, C, h, w].
        """
        contextual, guess = self.head(self.encoder(self.normalise(images)))
        return contextual, guess

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to object-contextual features float32 [B, F, h, w]."""
        return self.look(images)[0]

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, F, h, w] to logits float32 [B, C, h, w]."""
        logits: Tensor = self.head.classifier(features)
        return logits

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """``main`` and ``aux``, the head's first guess, logits float32 [B, C, H, W]."""
        contextual, guess = self.look(images)
        logits = {"main": self.classify(contextual), "aux": guess}
        size = images.shape[-2:]
        return {
            name: F.interpolate(each, size=size, mode="bilinear", align_corners=False) for name, each in logits.items()
        }


def hrnet_ocr(
    num_classes: int,
    widths: Sequence[int] = W48,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    stem: int = 64,
    width: int = 512,
    keys: int = 256,
) -> OCRNetwork:
    """HRNet with OCR head, stride 4; as given HRNet-W48, and smaller where the arguments say so.

    Args:
        num_classes: number C of output channels.
        widths: channels of HRNet's branches, see :class:`~seglift.models.hrnet.HRNet`, as are the next three.
        modules: modules in its stages.
        blocks: residual blocks in its branches.
        stem: channels of its first convolutions.
        width: channels of the contextual features.
        keys: channels in which the head compares pixels and classes.
    """
    encoder = HRNet(widths, modules, blocks, stem)
    return OCRNetwork(num_classes, encoder, encoder.channels, width, keys)


class DeepestMap(nn.Module):
    """The last of the maps that an encoder gives."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.body = encoder

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float32 [B, 3, H, W] to features [B, channels, h, w]."""
        deepest: Tensor = self.body(images)[-1]
        return deepest


def ocr(
    num_classes: int, encoder: str = "resnext50_32x4d", output_stride: int = 8, width: int = 512, keys: int = 256
) -> OCRNetwork:
    """OCR head on the deepest features of an encoder.

    Args:
        num_classes: number C of output channels.
        encoder: a name that :func:`~seglift.models.encoders.create_encoder` knows.
        output_stride: stride of its deepest features, 8, 16 or 32.
        width: channels of the contextual features.
        keys: channels in which the head compares pixels and classes.

    Raises:
        UserError: there is no such encoder, or it cannot give features at that stride.
    """
    made = create_encoder(encoder, output_stride)
    return OCRNetwork(num_classes, DeepestMap(made.module), made.channels[-1], width, keys)
