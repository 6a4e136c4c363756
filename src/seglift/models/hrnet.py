"""HRNet: four resolutions side by side, exchanging what they see, so that stride 4 is never given up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

from seglift.base.errors import UserError

W48 = (48, 96, 192, 384)


class HRNet(nn.Module):
    """Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition" (TPAMI 2020), HRNetV2.

    Two 3x3 convolutions of stride 2 lead to stride 4, where four bottlenecks work. Stages with 2, 3 and 4 branches, at
    strides 4, 8, 16 and 32, follow; branches are fused bilinearly (align_corners False), in which the networks of this
    family made for segmentation differ from timm's. All four are enlarged to stride 4 and concatenated.

    Args:
        widths: channels of the four branches; (48, 96, 192, 384) is HRNet-W48.
        modules: number of modules in the stages with 2, 3 and 4 branches.
        blocks: number of residual blocks in the first stage and in each branch of each module.
        stem: channels of the first two convolutions, and inner ones of the bottlenecks.

    Attributes:
        channels: channels of the result, the sum of ``widths``.

    Raises:
        UserError: not four widths or not three numbers of modules.
    """

    def __init__(
        self, widths: Sequence[int] = W48, modules: Sequence[int] = (1, 4, 3), blocks: int = 4, stem: int = 64
    ) -> None:
        super().__init__()
        if len(widths) != 4 or len(modules) != 3:
            raise UserError(
                f"HRNet with widths {list(widths)} and modules {list(modules)}: expected 4 widths and 3 numbers of"
                " modules; change them"
            )
        self.channels = sum(widths)
        self.stem = nn.Sequential(*_convolution(3, stem, 3, 2), *_convolution(stem, stem, 3, 2))
        wide = stem * Bottleneck.expansion
        project = nn.Sequential(*_convolution(stem, wide, 1, rectify=False))
        self.stage1 = nn.Sequential(
            Bottleneck(stem, stem, downsample=project), *(Bottleneck(wide, stem) for _ in range(blocks - 1))
        )
        self.enter = _convolution(wide, widths[0], 3)
        self.descend = nn.ModuleList(_convolution(a, b, 3, 2) for a, b in pairwise((wide, *widths[1:])))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Exchange(widths[:branches], blocks) for _ in range(count)))
            for branches, count in enumerate(modules, start=2)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float32 [B, 3, H, W], any H and W, to features [B, sum of widths, ~H/4, ~W/4]."""
        x = self.stage1(self.stem(images))
        branches, deepest = [self.enter(x)], x
        for descend, stage in zip(self.descend, self.stages, strict=True):
            branches = stage([*branches, descend(deepest)])
            deepest = branches[-1]
        return torch.cat([_enlarge(branch, branches[0]) for branch in branches], dim=1)


class Exchange(nn.Module):
    """Residual blocks on each branch, then every branch receives the sum of all, brought to its size and channels.

    From finer to coarser by 3x3 convolutions of stride 2, one for each halving; from coarser to finer by a 1x1
    convolution and bilinear enlarging.
    """

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in widths
        )
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Maps [B, widths[i], h / 2**i, w / 2**i], finest first, to maps of the same shapes."""
        seen = [blocks(branch) for blocks, branch in zip(self.branches, branches, strict=True)]
        return [self._gather(target, seen) for target in range(len(seen))]

    def _gather(self, target: int, branches: Sequence[Tensor]) -> Tensor:
        paths: list[nn.Module] = list(self.paths[target].children())
        total = paths[0](branches[0])
        for path, branch in zip(paths[1:], branches[1:], strict=True):
            total = total + _enlarge(path(branch), branches[target])
        return torch.relu(total)


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From the branch ``source`` to the channels of ``target`` and, where that is coarser, to its size."""
    if source == target:
        return nn.Identity()
    if source > target:
        return _convolution(widths[source], widths[target], 1, rectify=False)
    halvings = target - source
    return nn.Sequential(
        *(_convolution(widths[source], widths[source], 3, 2) for _ in range(halvings - 1)),
        _convolution(widths[source], widths[target], 3, 2, rectify=False),
    )


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, rectify: bool = True) -> nn.Sequential:
    """A padded convolution without bias, batch norm and, where wanted, ReLU."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if rectify else []))


def _enlarge(features: Tensor, like: Tensor) -> Tensor:
    """Features [B, F, any, any] at the size of ``like``; those of that size already come back as they are."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
