"""Object-contextual representations: every pixel looks at one summary of each class before it is classified."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gather_regions(features: Tensor, logits: Tensor) -> Tensor:
    """The mean feature of each class, weighted by where its logits are high.

    Yuan et al., "Object-Contextual Representations for Semantic Segmentation" (ECCV 2020), equation 3: the weights of
    a class are the softmax of its logits over all pixels of the image.

    Args:
        features: float32 [B, F, h, w].
        logits: float32 [B, C, h, w], a first guess of the classes.

    Returns:
        float32 [B, F, C, 1], one feature for each class.
    """
    weights = torch.softmax(logits.flatten(2), dim=2)
    return torch.matmul(features.flatten(2), weights.transpose(1, 2)).unsqueeze(3)


class ObjectAttention(nn.Module):
    """What the classes' features tell each pixel: attention with pixels as queries and classes as keys (eqs. 4 to 6).

    Args:
        channels: number F of channels of pixels, regions and result.
        keys: channels in which pixels and classes are compared and values are mixed.
    """

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.keys = keys
        self.query = nn.Sequential(*_projection(channels, keys), *_projection(keys, keys))
        self.key = nn.Sequential(*_projection(channels, keys), *_projection(keys, keys))
        self.value = nn.Sequential(*_projection(channels, keys))
        self.result = nn.Sequential(*_projection(keys, channels))

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        """Features [B, F, h, w] and regions [B, F, C, 1] to each pixel's context [B, F, h, w]."""
        query = self.query(features).flatten(2).transpose(1, 2)
        similarity = torch.matmul(query, self.key(regions).flatten(2)) * self.keys**-0.5
        mixed = torch.matmul(self.value(regions).flatten(2), torch.softmax(similarity, dim=2).transpose(1, 2))
        context: Tensor = self.result(mixed.reshape(*mixed.shape[:2], *features.shape[-2:]))
        return context


class OCRHead(nn.Module):
    """From the features of any encoder to object-contextual features and logits, with a first guess as auxiliary.

    Layers and sizes are those of the segmentation networks that NVIDIA released with Tao et al., "Hierarchical
    Multi-Scale Attention for Semantic Segmentation" (2020).

    Args:
        inputs: channels of the encoder's features.
        num_classes: number C of classes.
        width: channels F of the contextual features.
        keys: channels in which pixels and classes are compared.
        dropout: share of the contextual channels dropped while training, 0..1.
    """

    def __init__(self, inputs: int, num_classes: int, width: int = 512, keys: int = 256, dropout: float = 0.05) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.guess = nn.Sequential(
            nn.Conv2d(inputs, inputs, 1), nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, num_classes, 1)
        )
        self.attention = ObjectAttention(width, keys)
        self.fuse = nn.Sequential(*_projection(2 * width, width), nn.Dropout2d(dropout))
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The contextual features and the first guess; ``classifier`` makes the final logits of the former.

        Args:
            features: float32 [B, inputs, h, w].

        Returns:
            float32 [B, width, h, w], and logits float32 [B, C, h, w].
        """
        pixels = self.project(features)
        guess = self.guess(features)
        context = self.attention(pixels, gather_regions(pixels, guess))
        return self.fuse(torch.cat([context, pixels], dim=1)), guess


def _projection(inputs: int, outputs: int) -> list[nn.Module]:
    """The layers of a 1x1 convolution without bias, batch norm and ReLU."""
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
