"""How far motion can be trusted: forward-backward consistency, occlusion, photometric error."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from seglift.motion.maps import map_from_flow, outside, sample_bilinear
from seglift.motion.warp import warp_image


def forward_backward_error(flow: Tensor, opposite: Tensor, stride: int = 1) -> Tensor:
    """How far a pixel lands from home when it goes there by ``flow`` and comes back by ``opposite``, in pixels.

    Args:
        flow: backward flow on frame a that samples frame b, float32 ``[B, 2, H, W]``.
        opposite: backward flow on frame b that samples frame a, float32 ``[B, 2, H, W]``.
        stride: look at every so many pixels of both flows and interpolate between; a flow estimated on a
            coarser grid (as DIS does on large frames) has nothing to say between its nodes.

    Returns:
        float32 ``[B, H, W]``: ``|flow(p) + opposite(p + flow(p))|``; beyond the border the border's flow is used.
    """
    if stride > 1:
        flow_there, height, width = opposite[..., ::stride, ::stride], int(flow.shape[2]), int(flow.shape[3])
        flow = flow[..., ::stride, ::stride]
        difference = sample_bilinear(flow_there, map_from_flow(flow / stride)).add_(flow)
        return _between(torch.hypot(difference[:, 0], difference[:, 1]), stride, height, width)
    difference = sample_bilinear(opposite, map_from_flow(flow)).add_(flow)
    return torch.hypot(difference[:, 0], difference[:, 1])


def _between(values: Tensor, stride: int, height: int, width: int) -> Tensor:
    """Values ``[B, h, w]`` at every ``stride``-th pixel, interpolated to ``[B, height, width]``; the last repeat."""
    size = ((values.shape[1] - 1) * stride + 1, (values.shape[2] - 1) * stride + 1)
    inner = functional.interpolate(values[:, None], size, mode="bilinear", align_corners=True)
    return functional.pad(inner, (0, width - size[1], 0, height - size[0]), mode="replicate")[:, 0]


def occluded(flow: Tensor, opposite: Tensor) -> Tensor:
    """Pixels of frame a that frame b does not show, by the criterion of Sundaram et al. (ECCV 2010, equation 5).

    ``|flow + opposite|^2 > 0.01 (|flow|^2 + |opposite|^2) + 0.5``, or the flow leaves the frame.

    Args:
        flow: backward flow on frame a that samples frame b, float32 ``[B, 2, H, W]`` in pixels.
        opposite: backward flow on frame b that samples frame a, float32 ``[B, 2, H, W]``.

    Returns:
        bool ``[B, H, W]``.
    """
    sampling_map = map_from_flow(flow)
    returned = sample_bilinear(opposite, sampling_map)
    squared_error = (flow + returned).square().sum(1)
    squared_length = flow.square().sum(1) + returned.square().sum(1)
    return (squared_error > 0.01 * squared_length + 0.5) | outside(sampling_map, flow.shape[2], flow.shape[3])


def photometric_error(target: Tensor, source: Tensor, sampling_map: Tensor) -> Tensor:
    """RGB distance between ``target`` and ``source`` warped onto it (Ganeshan et al. 2021, equation 6).

    Args:
        target: ``[B, 3, H, W]`` uint8 in 0..255 or float32 in 0..1.
        source: the same dtype, ``[B, 3, h, w]``.
        sampling_map: float32 ``[B, 2, H, W]`` coordinates in ``source``.

    Returns:
        float32 ``[B, H, W]``: L2 norm over the channels, in 0..255 units (0 to about 441.7).
    """
    difference = warp_image(source, sampling_map).to(torch.float32) - target.to(torch.float32)
    scale = 1.0 if target.dtype == torch.uint8 else 255.0
    return difference.square_().sum(1).sqrt_() * scale
