"""The denoiser Omega of Warp-Refine Propagation: carried labels, corrected by what two images and a model show.

Ganeshan et al., "Warp-Refine Propagation" (ICCV 2021), section 3.3, and its supplement, section 3.3: a pix2pix-style
encoder of the carried labels and two images, joined by the segmentation model's features, and a decoder. Widths and
depths, which the paper leaves open, are those of pix2pixHD's global generator with two down-samplings.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.models.network import IMAGENET_MEAN, IMAGENET_STD

NORMS = ("instance", "batch")
LEAST_SIDE = 4
"""Pixels that the innermost maps have at least along each side, for reflection to have something to reflect."""


class RefinerNetwork(nn.Module):
    """Labels, the image they came with and the image they shall fit, to logits of every class and of "ignored".

    Args:
        num_classes: number C of evaluated classes; "ignored" is one more, number C.
        feature_channels: number F of channels of the segmentation model's features.
        width: channels at full resolution; each down-sampling doubles them.
        n_down: number of down-samplings by 2 before the features come in.
        blocks: residual blocks at the lowest resolution.
        kernel: side of the first and last convolution, an odd number.
        norm: ``instance``, with reflected borders, as pix2pixHD; or ``batch``, with borders of zeros, about twice as
            fast on a CPU.
        skips: whether maps of the encoder are added to those of the decoder of the same size, so that fine detail
            has a way around the lowest resolution; pix2pixHD has none.
        residual: height by which the given label's logit stands above the others from the beginning; the last layer
            then begins at zero, so that a fresh network gives the labels back. 0: no such path.

    Raises:
        ValueError: numbers or a norm out of range.

    Attributes:
        num_classes: as given.
        feature_channels: as given.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_channels: int,
        width: int = 64,
        n_down: int = 2,
        blocks: int = 9,
        kernel: int = 7,
        norm: str = "instance",
        skips: bool = False,
        residual: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm is {norm!r}, expected one of {', '.join(NORMS)}")
        if kernel % 2 == 0 or min(num_classes, feature_channels, width, n_down, blocks) < 1:
            raise ValueError("expected an odd kernel and at least one class, feature, channel, down-sampling and block")
        self.num_classes, self.feature_channels = num_classes, feature_channels
        self.n_down, self.skips, self.residual = n_down, skips, float(residual)
        widths = [width * 2**level for level in range(n_down + 1)]
        deepest = widths[-1]
        border = _border(norm)
        self.stem = _block(nn.Conv2d(num_classes + 7, width, kernel, padding=kernel // 2, padding_mode=border), norm)
        self.down = nn.Sequential(
            *(_block(nn.Conv2d(a, 2 * a, 3, stride=2, padding=1), norm) for a in widths[:-1]),
        )
        self.fuse = _block(nn.Conv2d(deepest + feature_channels, deepest, 1), norm)
        self.blocks = nn.Sequential(*(ResidualBlock(deepest, norm) for _ in range(blocks)))
        self.up = nn.Sequential(
            *(_block(nn.ConvTranspose2d(a, a // 2, 3, 2, 1, output_padding=1), norm) for a in widths[:0:-1])
        )
        self.head = nn.Conv2d(width, num_classes + 1, kernel, padding=kernel // 2, padding_mode=border)
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        self._initialise(norm)

    def _initialise(self, norm: str) -> None:
        """N(0, 0.02) as pix2pixHD, He's (2015) with batch norm; a last layer of zeros beside a residual path."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and norm == "instance":
                nn.init.normal_(part.weight, 0.0, 0.02)
            elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        if self.residual:
            nn.init.zeros_(self.head.weight)
            nn.init.constant_(cast(Tensor, self.head.bias), -self.residual / 2)

    def forward(self, labels: Tensor, warped: Tensor, image: Tensor, features: Tensor) -> Tensor:
        """The logits of the refined labels (Ganeshan et al., supplement, equation 1).

        Args:
            labels: of any integer type ``[B, H, W]``, train ids 0..C-1; C and whatever is above (255) is "ignored".
            warped: the image that the labels came with, carried like them, RGB float32 ``[B, 3, H, W]`` in 0..1.
            image: the image that the labels shall fit, the same shape and range.
            features: of ``image``, float32 ``[B, F, h, w]``, at any resolution.

        Returns:
            float32 ``[B, C + 1, H, W]``.

        Raises:
            ValueError: shapes that do not fit together.
        """
        self._check(labels, warped, image, features)
        height, width = labels.shape[-2:]
        planes = self._planes(labels, warped, image)
        levels = [cast(Tensor, self.stem(self._padded(planes)))]
        for stage in self.down:
            levels.append(cast(Tensor, stage(levels[-1])))
        encoded = levels.pop()
        resized = F.interpolate(features, size=encoded.shape[-2:], mode="bilinear", align_corners=False)
        decoded = cast(Tensor, self.blocks(self.fuse(torch.cat((encoded, resized), 1))))
        for stage in self.up:
            decoded = cast(Tensor, stage(decoded)) + levels.pop() if self.skips else cast(Tensor, stage(decoded))
        logits: Tensor = self.head(decoded)[..., :height, :width]
        return torch.add(logits, planes[:, :-6], alpha=self.residual) if self.residual else logits

    def _planes(self, labels: Tensor, warped: Tensor, image: Tensor) -> Tensor:
        """One-hot labels and both images, normalised, side by side: float32 [B, C + 7, H, W], channels last."""
        numbers = torch.arange(self.num_classes + 1, dtype=torch.uint8, device=labels.device)
        known = labels.clamp(max=self.num_classes).to(torch.uint8)
        planes = torch.empty((*labels.shape, self.num_classes + 7), dtype=torch.float32, device=labels.device)
        planes[..., :-6] = known[..., None] == numbers
        for channels, picture in ((slice(-6, -3), warped), (slice(-3, None), image)):
            planes[..., channels] = ((picture - self.mean) / self.std).permute(0, 2, 3, 1)
        return planes.permute(0, 3, 1, 2)

    def _padded(self, planes: Tensor) -> Tensor:
        """Sides filled up to multiples of the down-sampling, below and on the right, the edge repeated."""
        multiple = 2**self.n_down
        below, right = (max(-side % multiple, LEAST_SIDE * multiple - side) for side in planes.shape[-2:])
        return F.pad(planes, (0, right, 0, below), mode="replicate") if below or right else planes

    def _check(self, labels: Tensor, warped: Tensor, image: Tensor, features: Tensor) -> None:
        expected = (labels.shape[0], 3, *labels.shape[1:])
        if labels.ndim != 3 or warped.shape != expected or image.shape != expected:
            raise ValueError(
                f"labels [B, H, W] and two images [B, 3, H, W] expected, got {tuple(labels.shape)},"
                f" {tuple(warped.shape)} and {tuple(image.shape)}"
            )
        if features.ndim != 4 or features.shape[:2] != (labels.shape[0], self.feature_channels):
            raise ValueError(
                f"features [{labels.shape[0]}, {self.feature_channels}, h, w] expected, got {tuple(features.shape)}"
            )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, normalised, added to what comes in: [B, C, h, w] to the same."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, padding_mode=_border(norm)) for _ in range(2))
        self.change = nn.Sequential(*_block(first, norm), second, _norm(channels, norm))

    def forward(self, features: Tensor) -> Tensor:
        """Features float32 [B, C, h, w] to the same shape."""
        changed: Tensor = self.change(features)
        return features + changed


def _block(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: str) -> nn.Sequential:
    return nn.Sequential(convolution, _norm(convolution.out_channels, norm), nn.ReLU(inplace=True))


def _norm(channels: int, norm: str) -> nn.Module:
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.BatchNorm2d(channels)


def _border(norm: str) -> Literal["reflect", "zeros"]:
    return "reflect" if norm == "instance" else "zeros"
