"""WideResNet-38 and -41 as Naive-Student trains them: strided convolutions instead of pooling, and drop path.

Chen et al., "Naive-Student: Leveraging Semi-Supervised Learning in Video Sequences for Urban Scene Segmentation"
(ECCV 2020), appendix, table 11. Two points differ from the table. Its stage 5 of WideResNet-41 (512 and 1024 channels)
contradicts the paper's own count of parameters; 1024 and 1024 give it. And the stride is that of a stage's first unit,
as in the authors' later release, not of the last one before it: the same weights, plainer maps.
``wide_resnet`` is the other WideResNet-38, of Zhu et al. (CVPR 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from timm.layers import DropPath
from torch import Tensor, nn

STEM_CHANNELS = 64
DROP_PATH_STRIDE = 4
"""Units whose outputs have this stride or a larger one are dropped now and then."""


@dataclass(frozen=True)
class Layout:
    """A network.

    Attributes:
        stages: by name, the number of units and the outputs of a unit's convolutions: two 3x3, or 1x1, 3x3 and 1x1.
        multi_grid: dilations of the last units, to be multiplied with that of their stage.
    """

    stages: dict[str, tuple[int, tuple[int, ...]]]
    multi_grid: tuple[int, ...]


FIRST_STAGES = {"stage2": (3, (128, 128)), "stage3": (3, (256, 256)), "stage4": (6, (512, 512))}
LAST_STAGES_38 = {"stage5": (3, (512, 1024)), "stage6": (1, (512, 1024, 2048)), "stage7": (1, (1024, 2048, 4096))}
LAST_STAGES_41 = {"stage5": (3, (1024, 1024)), "stage6": (3, (512, 1024, 2048))}
LAYOUTS: dict[int, Layout] = {
    38: Layout({**FIRST_STAGES, **LAST_STAGES_38}, multi_grid=(1, 2)),
    41: Layout({**FIRST_STAGES, **LAST_STAGES_41}, multi_grid=(1, 2, 4)),
}
HALVING = ("stage3", "stage4", "stage5", "stage6")


class PreActivationUnit(nn.Module):
    """ReLU, then convolutions with batch norm and ReLU between them; the sum with the shortcut is left as it is.

    The shortcut is the rectified input, projected with batch norm where shapes differ. The last batch norm starts at 0,
    so that at first the unit only passes on its shortcut.
    """

    def __init__(
        self, inputs: int, channels: Sequence[int], stride: int = 1, dilation: int = 1, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        kernels = (3, 3) if len(channels) == 2 else (1, 3, 1)
        layers: list[nn.Module] = []
        before, left = inputs, stride
        for width, kernel in zip(channels, kernels, strict=True):
            if layers:
                layers.append(nn.ReLU(inplace=True))
            reach, step = (dilation, left) if kernel == 3 else (1, 1)
            layers.append(nn.Conv2d(before, width, kernel, step, reach * (kernel // 2), reach, bias=False))
            norm = nn.BatchNorm2d(width)
            layers.append(norm)
            before, left = width, 1 if kernel == 3 else left
        nn.init.zeros_(norm.weight)
        self.body = nn.Sequential(*layers)
        self.drop_path = DropPath(drop_path)
        same = stride == 1 and inputs == before
        self.shortcut = None if same else _projection(inputs, before, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, channels[-1], ~h/stride, ~w/stride]."""
        active = torch.relu(x)
        shortcut: Tensor = active if self.shortcut is None else self.shortcut(active)
        branch: Tensor = self.drop_path(self.body(active))
        return shortcut + branch


class StridedWideResNet(nn.Module):
    """The trunk without classifier; strides beyond ``output_stride`` become dilation.

    Attributes:
        channels: channels of the maps, after the stages from ``stage2`` on.
        strides: their strides; 2, 4, 8, 16, 16 at output stride 16 (and one more 16 for 38 layers).

    Args:
        layers: 38 or 41.
        output_stride: stride of the deepest map, 8, 16 or 32.
        survival: probability that a unit's convolutions count in training, from stride 4 on; 1 drops none.
    """

    def __init__(self, layers: int, output_stride: int = 16, survival: float = 0.8) -> None:
        super().__init__()
        layout = LAYOUTS[layers]
        stem = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(STEM_CHANNELS))
        self.stages = nn.ModuleDict()
        inputs, total, dilation, strides = STEM_CHANNELS, 2, 1, []
        grid = _unit_grid(layout)
        for name, (count, channels) in layout.stages.items():
            stride = 2 if name in HALVING and total < output_stride else 1
            dilation *= 2 if name in HALVING and stride == 1 else 1
            total *= stride
            drop = 1 - survival if total >= DROP_PATH_STRIDE else 0.0
            units = []
            for _ in range(count):
                units.append(PreActivationUnit(inputs, channels, stride, dilation * next(grid), drop))
                inputs, stride = channels[-1], 1
            self.stages[name] = nn.Sequential(*units)
            strides.append(total)
        self.channels = tuple(channels[-1] for _, channels in layout.stages.values())
        self.strides = tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images float32 [B, 3, H, W] to rectified maps float32 [B, channels[i], ~H/strides[i], ...]."""
        x: Tensor = self.stem(images)
        maps: list[Tensor] = []
        for stage in self.stages.values():
            x = torch.relu(stage(x))
            maps.append(x)
        return maps


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _unit_grid(layout: Layout) -> Iterator[int]:
    """The dilation of each unit, to be multiplied with that of its stage."""
    units = sum(count for count, _ in layout.stages.values())
    return chain([1] * (units - len(layout.multi_grid)), layout.multi_grid)
