"""A small panoptic network that learns in minutes on a CPU: the compact U-Net with a second way up, for instances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from seglift.models.aspp import conv_norm
from seglift.models.compact_unet import CompactUNet, rise
from seglift.models.panoptic_network import PanopticNetwork, instance_predictor
from seglift.models.panoptic_output import PanopticOutput, resize_aligned, resize_offset


class CompactPanoptic(CompactUNet, PanopticNetwork):
    """Classes as :class:`~seglift.models.compact_unet.CompactUNet` finds them; centres and offsets at stride 4 or 2.

    The instance decoder has blocks of its own over the shared stages down, and a 3x3 and a 1x1 convolution for the
    centres and for the offsets each.

    Args:
        num_classes: number C of classes.
        widths: channels of the stages, at strides 2, 4, 8, ...
        places: whether it sees where a pixel lies; it should not where cameras differ between training and use.
        head: channels between the two convolutions of the centres, and of the offsets.
        fine: whether the instance decoder goes on to stride 2, where it has ``head`` channels; it should where many
            instances are a few pixels large.

    Raises:
        ValueError: a single stage, which reaches no stride of 4.
    """

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int] = (32, 48, 64, 96, 128),
        places: bool = True,
        head: int = 32,
        fine: bool = False,
    ) -> None:
        if len(widths) < 2:
            raise ValueError(f"a panoptic network needs at least 2 stages, got widths {list(widths)}")
        super().__init__(num_classes, widths, places)
        rising = widths[:0:-1]  # to stride 4
        stages = [(a + b, b) for a, b in pairwise(rising)]
        if fine:
            stages.append((rising[-1] + widths[0], head))
        self.instance_up = nn.ModuleList(conv_norm(before, after, 3) for before, after in stages)
        last = head if fine else rising[-1]
        self.centre = nn.Sequential(conv_norm(last, head, 3), instance_predictor(head, 1))
        self.offset = nn.Sequential(conv_norm(last, head, 3), instance_predictor(head, 2))

    def panoptic(self, images: Tensor) -> PanopticOutput:
        """See :meth:`PanopticNetwork.panoptic`; images may bring places, as for :meth:`features`."""
        size = images.shape[-2:]
        maps = self.descend(images)
        semantic = F.interpolate(self.classify(rise(self.up, maps)), size=size, mode="bilinear", align_corners=False)
        instances = rise(self.instance_up, maps)
        return PanopticOutput(
            semantic, resize_aligned(self.centre(instances), size), resize_offset(self.offset(instances), size)
        )
