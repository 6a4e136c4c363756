"""Where the pixels of a keyframe go: the composed map of the way back, found in the order of the way out.

Stepping onto a frame asks where its pixels come from. While labels are carried away from the left keyframe, the motion
that a walk from the right one would compose is estimated too, its last step first; following the left keyframe's own
pixels through it gives the whole map onto the left keyframe as soon as the right one is reached.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seglift.motion.maps import outside, sample_bilinear
from seglift.propagation.state import StepMotion


def follow_trace(trace: Tensor, motion: StepMotion, grid: int = 1) -> Tensor:
    """Follows pixels one frame further.

    Args:
        trace: float32 ``[1, 4, h, w]`` of the pixels that are followed: the x and y each has now, in pixels of the
            frame reached so far, the worst forward-backward error on the way (pixels), and 1 where it was out of view,
            else 0.
        motion: flow on the frame reached so far that samples the next one, its error beside it.
        grid: read motion at every ``grid``-th pixel of both axes and between those.

    Returns:
        float32 ``[1, 4, h, w]``, on the next frame. Outside the frame motion is that of the border.
    """
    height, width = motion.flow.shape[-2:]
    read = torch.cat((motion.flow[..., ::grid, ::grid], motion.error[:, None, ::grid, ::grid]), dim=1)
    moved = sample_bilinear(read, trace[:, :2] / grid)
    place = trace[:, :2] + moved[:, :2]
    error = torch.maximum(trace[:, 2], moved[:, 2])
    unseen = torch.maximum(trace[:, 3], outside(place, height, width).to(torch.float32))
    return torch.cat((place, error[:, None], unseen[:, None]), dim=1)
