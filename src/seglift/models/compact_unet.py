"""A small U-Net that learns from a handful of images in minutes on a CPU: the network of ``label --model auto``.

Measured against a DeepLabV3+ on MobileNetV3 trained from scratch on the keyframes of a clip, it is better at less time
(``benchmarks/RESULTS.md``): no pretrained encoder is at hand then, and thin classes need the fine first stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.models.network import SegmentationNetwork
from seglift.models.pooled_norm import norm_pooled

SMALLEST_FREQUENCY = 1e-3


class CompactUNet(SegmentationNetwork):
    """Five stages of two 3x3 convolutions down, a global average at the deepest, one convolution a stage up.

    It also sees where a pixel lies, which tells much within the video of one camera: images of 3 channels get their
    own x and y (-1..1 over the image); views of a part of an image bring theirs as channels 4 and 5.

    The global average of a training batch of one image has no variance; see
    :func:`~seglift.models.pooled_norm.norm_pooled`.

    Args:
        num_classes: number C of output channels.
        widths: channels of the stages, at strides 2, 4, 8, ...
        places: whether it sees where a pixel lies; it should not where cameras differ between training and use.
    """

    def __init__(self, num_classes: int, widths: Sequence[int] = (32, 48, 64, 96, 128), places: bool = True) -> None:
        super().__init__(num_classes, feature_channels=widths[0])
        self.wants_places = places
        channels = (5 if places else 3, *widths)
        self.down = nn.ModuleList(
            nn.Sequential(_block(before, after, stride=2), _block(after, after))
            for before, after in zip(channels, widths, strict=False)
        )
        self.context = _block(widths[-1], widths[-1], size=1)
        rising = widths[::-1]
        self.up = nn.ModuleList(_block(a + b, b) for a, b in pairwise(rising))
        self.classifier = nn.Conv2d(widths[0], num_classes, 1)
        self.log_prior: Tensor
        self.register_buffer("log_prior", torch.zeros(num_classes))

    def undo_balance(self, frequency: Tensor, power: float) -> None:
        """Makes the evaluated network undo a loss that was balanced by ``frequency ** -power``.

        A network trained so gives posteriors as if classes were more equal than they are; in evaluation (never in
        training) ``power * log(frequency)`` is added to its logits (logit adjustment, Menon et al., ICLR 2021).

        Args:
            frequency: float [C], share of each class among the labelled pixels, 0..1.
            power: 0 (plain loss) to 1.
        """
        shares = frequency.clamp_min(SMALLEST_FREQUENCY)
        self.log_prior.copy_(power * torch.log(shares / shares.sum()))

    def keep_balance(self) -> None:
        """Takes :meth:`undo_balance` back: classes stay as likely as the loss weighed them."""
        self.log_prior.zero_()

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3 or 5, H, W] (RGB in 0..1, x and y in -1..1) to features [B, widths[0], ~H/2, ~W/2]."""
        return rise(self.up, self.descend(images))

    def descend(self, images: Tensor) -> list[Tensor]:
        """Images as for :meth:`features` to the maps at strides 2, 4, 8, ...; the last one knows the global average."""
        x = self.normalise(images[:, :3])
        if self.wants_places:
            x = torch.cat((x, images[:, 3:] if images.shape[1] > 3 else image_places(images)), dim=1)
        skips: list[Tensor] = []
        for stage in self.down:
            x = cast(Tensor, stage(x))
            skips.append(x)
        project, norm, rectify = self.context
        skips[-1] = x + cast(Tensor, rectify(norm_pooled(norm, project(x.mean((2, 3), keepdim=True)))))
        return skips

    def classify(self, features: Tensor) -> Tensor:
        """Features float32 [B, F, h, w] to logits float32 [B, C, h, w]."""
        logits: Tensor = self.classifier(features)
        return logits if self.training else logits + self.log_prior.view(1, -1, 1, 1)


def rise(stages: nn.ModuleList, maps: Sequence[Tensor]) -> Tensor:
    """The deepest of ``maps`` upsampled step by step, each with the next finer one, as far as there are ``stages``."""
    x = maps[-1]
    for stage, skip in zip(stages, maps[-2::-1], strict=False):
        larger = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        x = cast(Tensor, stage(torch.cat((larger, skip), dim=1)))
    return x


def image_places(images: Tensor) -> Tensor:
    """Position (x, y) of each pixel, -1..1 over the image, float32 [B, 2, H, W], for images [B, any, H, W]."""
    height, width = images.shape[-2:]
    ys = torch.linspace(-1.0, 1.0, height, device=images.device).view(1, 1, -1, 1)
    xs = torch.linspace(-1.0, 1.0, width, device=images.device).view(1, 1, 1, -1)
    size = (images.shape[0], 1, height, width)
    return torch.cat((xs.expand(size), ys.expand(size)), dim=1)


def _block(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
