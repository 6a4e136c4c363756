"""Xception-71 as encoder: the aligned Xception of DeepLabV3+ with its features taken where DeepLab takes them.

Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation" (ECCV 2018). The blocks
are timm's; timm's own features come after the ReLU that follows, DeepLab's before it.
"""

from __future__ import annotations

from typing import cast

import timm
from timm.models.xception_aligned import XceptionModule
from torch import Tensor, nn

TAPPED_BLOCKS = (2, 4)  # entry blocks 3 and 5
TAP = 3  # in a block's stack (ReLU, convolution) x 3: the second separable convolution


class Xception71(nn.Module):
    """Stem, 5 entry, 16 middle and 2 exit blocks; strides beyond ``output_stride`` become dilation of what follows.

    Parameters are named as in timm's ``xception71`` (without its head).

    Attributes:
        channels: channels of the maps: second separable convolution of entry blocks 3 and 5, and the end.
        strides: their strides; 4, 8, 16 at output stride 16.

    Args:
        output_stride: stride of the deepest map, 8, 16 or 32.
    """

    def __init__(self, output_stride: int = 16) -> None:
        super().__init__()
        whole = timm.create_model("xception71", pretrained=False, num_classes=0, output_stride=output_stride)
        self.stem, self.blocks = whole.stem, whole.blocks
        for index in TAPPED_BLOCKS:
            self.blocks[index].stack[TAP + 1] = nn.ReLU()  # timm's works in place, on the tapped tensor
        self.channels = (256, 728, 2048)
        self.strides = (4, 8, output_stride)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images float32 [B, 3, H, W] to maps float32 [B, channels[i], ~H/strides[i], ~W/strides[i]]."""
        x: Tensor = self.stem(images)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            if index in TAPPED_BLOCKS:
                tap, x = _run_tapped(cast(XceptionModule, block), x)
                maps.append(tap)
            else:
                x = block(x)
        return [*maps, x]


def _run_tapped(block: XceptionModule, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output of the block's second separable convolution, and that of the block."""
    tap: Tensor = block.stack[: TAP + 1](x)
    shortcut: Tensor = x if block.shortcut is None else block.shortcut(x)
    return tap, shortcut + block.stack[TAP + 1 :](tap)
