"""What every segmentation network offers: features of its decoder, and logits at the resolution of the input."""

from __future__ import annotations

import abc
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegmentationNetwork(nn.Module, abc.ABC):
    """A network from images to one logit for each class and pixel; it normalises its own input.

    Attributes:
        num_classes: number C of output channels.
        feature_channels: number F of channels of :meth:`features`.
        wants_places: whether images may bring x and y of each pixel (-1..1 over the whole image) as channels 4 and 5,
            which views of a part of an image should.
    """

    wants_places: bool = False

    mean: Tensor
    std: Tensor
    norm_statistics: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]] = (IMAGENET_MEAN, IMAGENET_STD)

    def __init__(self, num_classes: int, feature_channels: int) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"a network needs at least 1 class, got {num_classes}")
        self.num_classes = num_classes
        self.feature_channels = feature_channels
        for name, values in zip(("mean", "std"), self.norm_statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to zero mean and unit variance by the ImageNet statistics."""
        return (images - self.mean) / self.std

    @abc.abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """The decoder's last features.

        Args:
            images: float32 [B, 3, H, W], RGB in 0..1, any H and W.

        Returns:
            float32 [B, F, h, w], at a fraction of the resolution.
        """

    @abc.abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features [B, F, h, w] to logits [B, C, h, w]."""

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """What training looks at: logits float32 [B, C, H, W] by name.

        ``main`` is what :meth:`forward` gives in training mode; networks with auxiliary heads add ``aux``, those that
        look at several scales ``scale_0.5`` and the like.
        """
        return {"main": self(images)}

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W] (bilinear, align_corners False)."""
        logits = self.classify(self.features(images))
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
