"""Sampling maps: where each pixel of a frame comes from, in absolute source coordinates.

A backward flow ``[B, 2, H, W]`` (channel 0 = dx, 1 = dy, pixels) says ``out(x, y) = source(x + dx, y + dy)``. A
sampling map is its absolute form, ``map = identity + flow``. Maps compose: ``map(t<-k) = map(t<-k-1) sampled at
map(k-1<-k)``, so that what the keyframe holds is sampled once however far it is carried.

CPU tensors are sampled by OpenCV, others and those that want gradients by torch; both agree to 1e-3 of the sampled
values' range on maps up to 4096 pixels wide (float32 grid normalisation). On the CPU flows and maps live in torch's
``channels_last`` memory layout, the interleaved one of OpenCV, so that nothing is copied between the two.
"""

from __future__ import annotations

import functools

import cv2
import torch
from torch import Tensor

OPENCV_NEAREST = (torch.uint8, torch.int16)
"""Types of maps that OpenCV samples by nearest neighbour, faster than torch does."""


@functools.lru_cache(maxsize=4)
def _identity(height: int, width: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # shared with training, where a tensor made for inference could not be used
        ys = torch.arange(height, dtype=torch.float32, device=device)
        xs = torch.arange(width, dtype=torch.float32, device=device)
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        return torch.stack((grid_x, grid_y))[None].contiguous(memory_format=torch.channels_last)


def identity_map(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """The map that leaves everything in place, ``float32 [1, 2, H, W]``. Shared: do not write into it."""
    return _identity(height, width, torch.device(device))


def map_from_flow(flow: Tensor) -> Tensor:
    """Absolute sampling map of a backward flow ``float32 [B, 2, H, W]``, same shape.

    Raises:
        ValueError: the flow is not ``[B, 2, H, W]`` or holds NaN or infinite values.
    """
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise ValueError(f"flow has shape {tuple(flow.shape)}; expected [B, 2, H, W] with channels dx, dy in pixels")
    if not bool(torch.isfinite(flow.sum())) and not bool(torch.isfinite(flow).all()):
        raise ValueError("flow holds NaN or infinite values; mask them before use")
    return flow + identity_map(flow.shape[2], flow.shape[3], flow.device)


def sample_bilinear(values: Tensor, sampling_map: Tensor) -> Tensor:
    """Samples ``values [B, C, H, W]`` (float32; on the CPU also uint8) at ``sampling_map [B, 2, h, w]``.

    Returns:
        ``[B, C, h, w]``. Coordinates outside the image take the border's value (replicate), which is
        torch's ``grid_sample(padding_mode="border", align_corners=True)``. Differentiable where either argument wants
        gradients; torch then samples on the CPU too, and a coordinate that is no number points to the first pixel.

    Raises:
        ValueError: the map is not ``[B, 2, h, w]`` of the same batch size.
    """
    _check_map(sampling_map, values.shape[0])
    wants_gradients = torch.is_grad_enabled() and (values.requires_grad or sampling_map.requires_grad)
    if values.device.type == "cpu" and not wants_gradients:
        return _sample_opencv(values, sampling_map)
    height, width = values.shape[-2:]
    if wants_gradients:
        # torch's backward pass on a CPU reads outside its memory where a coordinate is no number or very far away.
        last = sampling_map.new_tensor([width - 1.0, height - 1.0]).view(1, 2, 1, 1)
        sampling_map = sampling_map.nan_to_num(0.0).clamp(torch.zeros_like(last), last)
    scale = sampling_map.new_tensor([2.0 / max(width - 1, 1), 2.0 / max(height - 1, 1)]).view(1, 2, 1, 1)
    grid = (sampling_map * scale - 1.0).permute(0, 2, 3, 1)
    return torch.nn.functional.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _check_map(sampling_map: Tensor, batch: int) -> None:
    if sampling_map.ndim != 4 or sampling_map.shape[:2] != (batch, 2):
        raise ValueError(f"sampling map has shape {tuple(sampling_map.shape)}; expected [{batch}, 2, h, w]")


def _sample_opencv(values: Tensor, sampling_map: Tensor) -> Tensor:
    # OpenCV interpolates 1, 3 and 4 interleaved channels in float, but 2 channels in steps of 1/32 pixel.
    coordinates = sampling_map.permute(0, 2, 3, 1).contiguous()
    channels = values.shape[1]
    groups = []
    for first in range(0, channels, 4):
        source = values[:, first : first + 4].permute(0, 2, 3, 1)
        width = source.shape[3]
        source = torch.nn.functional.pad(source, (0, 1)) if width == 2 else source.contiguous()
        out = source.new_empty((*coordinates.shape[:3], source.shape[3]))
        for item in range(source.shape[0]):
            _remap(source[item].squeeze(-1), coordinates[item], cv2.INTER_LINEAR, out[item].squeeze(-1))
        groups.append(out[..., :width].permute(0, 3, 1, 2))
    return groups[0] if len(groups) == 1 else torch.cat(groups, dim=1)


def _remap(source: Tensor, coordinates: Tensor, interpolation: int, out: Tensor) -> None:
    place = coordinates.numpy()
    cv2.remap(source.numpy(), place, None, interpolation, out.numpy(), cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def nearest_indices(sampling_map: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row and column of the nearest source pixel, int64 ``[B, h, w]`` each: ``floor(coordinate + 0.5)``, clamped."""
    rounded = torch.floor(sampling_map + 0.5)
    columns = rounded[:, 0].clamp(0, width - 1).long()
    rows = rounded[:, 1].clamp(0, height - 1).long()
    return rows, columns


def sample_nearest(values: Tensor, sampling_map: Tensor) -> Tensor:
    """Samples ``values [B, H, W]`` of any dtype at ``sampling_map [B, 2, h, w]`` by nearest neighbour.

    One rounding rule on every device, ``floor(coordinate + 0.5)``; coordinates outside take the border's value.

    Raises:
        ValueError: the map is not ``[B, 2, h, w]`` of the same batch size.
    """
    _check_map(sampling_map, values.shape[0])
    height, width = values.shape[-2:]
    if values.device.type == "cpu" and values.dtype in OPENCV_NEAREST and max(height, width) < 32767:
        return _nearest_opencv(values, sampling_map)
    rows, columns = nearest_indices(sampling_map, height, width)
    batch = torch.arange(values.shape[0], device=values.device).view(-1, 1, 1)
    return values[batch, rows, columns]


def _nearest_opencv(values: Tensor, sampling_map: Tensor) -> Tensor:
    # Integer coordinates keep OpenCV's own rounding (half to even) out. From -0.5 on, truncation is floor.
    rounded = sampling_map.clamp(-0.5, 32766.0).add_(0.5).to(torch.int16).permute(0, 2, 3, 1).contiguous()
    out = values.new_empty(values.shape[:1] + sampling_map.shape[2:])
    for item in range(values.shape[0]):
        _remap(values[item].contiguous(), rounded[item], cv2.INTER_NEAREST, out[item])
    return out


def outside(sampling_map: Tensor, height: int, width: int) -> Tensor:
    """Where a map looks outside a source of ``height`` x ``width``: bool ``[B, h, w]``.

    A pixel is inside when its coordinate lies in ``[-0.5, width - 0.5)`` x ``[-0.5, height - 0.5)``.
    """
    x, y = sampling_map[:, 0], sampling_map[:, 1]
    return (x < -0.5) | (x >= width - 0.5) | (y < -0.5) | (y >= height - 0.5)


def compose(previous: Tensor, step: Tensor) -> Tensor:
    """``map(t<-k) = map(t<-k-1) sampled at map(k-1<-k)``.

    Args:
        previous: ``map(t<-k-1)``, float32 ``[B, 2, H, W]``: lives on frame k-1, points into frame t.
        step: ``map(k-1<-k)``, float32 ``[B, 2, H, W]``: lives on frame k, points into frame k-1.

    Returns:
        ``map(t<-k)``. Where ``step`` looks outside, the border's value is used, so the result stays inside and cannot
        tell what is out of view: carry a mask along with :func:`compose_outside`.
    """
    return sample_bilinear(previous, step)


def compose_outside(previous: Tensor, step: Tensor) -> Tensor:
    """Carries an out-of-view mask bool ``[B, H, W]`` one ``step`` on: outside before, or the step looks outside."""
    carried = sample_nearest(previous.to(torch.uint8), step).bool()
    return carried | outside(step, step.shape[2], step.shape[3])
