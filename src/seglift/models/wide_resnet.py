"""WideResNet-38 with pre-activation blocks (variant A2), the trunk of Zhu et al. (CVPR 2019).

Wu et al., "Wider or Deeper: Revisiting the ResNet Model for Visual Recognition" (2016), with the identity mappings of
He et al. (ECCV 2016).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

STEM_CHANNELS = 64


@dataclass(frozen=True)
class Stage:
    """A stage of the network.

    Attributes:
        blocks: how many blocks it has.
        channels: outputs of the convolutions of each block: two 3x3, or 1x1, 3x3 and 1x1.
        pooled: whether max pooling halves its input; else the first convolution of its first block does, if anything.
        halves: whether it halves the resolution, unless that would go beyond the output stride.
        dropout: share of channels dropped before the last convolution while training.
    """

    blocks: int
    channels: tuple[int, ...]
    pooled: bool = False
    halves: bool = True
    dropout: float = 0.0


WIDE_RESNET38: dict[str, Stage] = {
    "mod2": Stage(3, (128, 128), pooled=True),
    "mod3": Stage(3, (256, 256), pooled=True),
    "mod4": Stage(6, (512, 512)),
    "mod5": Stage(3, (512, 1024)),
    "mod6": Stage(1, (512, 1024, 2048), dropout=0.3),
    "mod7": Stage(1, (1024, 2048, 4096), halves=False, dropout=0.5),
}


class PreActivationBlock(nn.Module):
    """Batch norm and ReLU before each convolution; the sum is left without either.

    A projection, where shapes differ, sees the normalised input; otherwise the shortcut is the input itself.
    """

    def __init__(
        self, inputs: int, channels: Sequence[int], stride: int = 1, dilation: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        kernels = (3, 3) if len(channels) == 2 else (1, 3, 1)
        self.norm1 = _norm_relu(inputs)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = inputs
        for n, (width, kernel) in enumerate(zip(channels, kernels, strict=True), start=1):
            if n > 1:
                layers[f"norm{n}"] = _norm_relu(before)
            if n == len(channels) and dropout > 0:
                layers["dropout"] = nn.Dropout2d(dropout)
            reach = dilation if kernel == 3 else 1
            padding = reach * (kernel // 2)
            layers[f"conv{n}"] = nn.Conv2d(
                before, width, kernel, stride if n == 1 else 1, padding, dilation=reach, bias=False
            )
            before = width
        self.body = nn.Sequential(layers)
        same = stride == 1 and inputs == before
        self.shortcut = None if same else nn.Conv2d(inputs, before, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, channels[-1], ~h/stride, ~w/stride]."""
        active = self.norm1(x)
        shortcut: Tensor = x if self.shortcut is None else self.shortcut(active)
        branch: Tensor = self.body(active)
        return branch + shortcut


class WideResNet38(nn.Module):
    """The trunk without its last normalisation and classifier; strides beyond ``output_stride`` become dilation.

    Attributes:
        channels: channels of the maps, after ``mod2`` ... ``mod7``.
        strides: their strides; 2, 4, 8, 8, 8, 8 at output stride 8.

    Args:
        output_stride: stride of the deepest map, 8, 16 or 32.
    """

    def __init__(self, output_stride: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_CHANNELS, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleDict()
        inputs, total, dilation, strides = STEM_CHANNELS, 1, 1, []
        for name, stage in WIDE_RESNET38.items():
            halves = stage.halves and total < output_stride
            total *= 2 if halves else 1
            dilation *= 2 if stage.halves and not halves else 1
            stride = 2 if halves and not stage.pooled else 1
            self.stages[name] = _make_stage(stage, inputs, stride, dilation)
            inputs = stage.channels[-1]
            strides.append(total)
        self.channels = tuple(stage.channels[-1] for stage in WIDE_RESNET38.values())
        self.strides = tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images float32 [B, 3, H, W] to six maps float32 [B, channels[i], ~H/strides[i], ~W/strides[i]]."""
        x: Tensor = self.stem(images)
        maps: list[Tensor] = []
        for name, stage in self.stages.items():
            x = stage(self.pool(x) if WIDE_RESNET38[name].pooled else x)
            maps.append(x)
        return maps


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _make_stage(stage: Stage, inputs: int, stride: int, dilation: int) -> nn.Sequential:
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for n in range(1, stage.blocks + 1):
        blocks[f"block{n}"] = PreActivationBlock(inputs, stage.channels, stride, dilation, stage.dropout)
        inputs, stride = stage.channels[-1], 1
    return nn.Sequential(blocks)
