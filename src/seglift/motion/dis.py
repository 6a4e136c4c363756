"""Dense Inverse Search optical flow (Kroeger et al. 2016) through OpenCV, on the CPU."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
    "fine": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
"""OpenCV's presets by name. ``fine`` matches patches down to full resolution, which small frames need for thin things,
and saves the time by leaving out variational refinement; it costs about as much as ``medium``."""
FINE_UP_TO = 1_000_000
"""Frames of up to this many pixels get ``fine`` where no preset is named, larger ones ``medium``."""
MIN_SIDE = 16
"""Smaller images are padded (border replicated) to this many pixels per side, which DIS needs for its pyramid."""


class DisFlow:
    """A :class:`seglift.motion.estimator.MotionEstimator`; safe to call from several threads at once.

    Args:
        preset: one of ``PRESETS``, or ``auto`` to choose by the size of the frames (see ``FINE_UP_TO``).

    Raises:
        ValueError: the preset is unknown.
    """

    def __init__(self, preset: str = "auto") -> None:
        if preset not in PRESETS and preset != "auto":
            raise ValueError(f"DIS preset {preset!r} is unknown; choose one of {', '.join(PRESETS)}")
        self.preset = preset
        self._local = threading.local()

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Backward flow on ``target`` sampling ``source``; see :class:`~seglift.motion.estimator.MotionEstimator`."""
        del previous
        if source.shape != target.shape or source.ndim != 4 or source.shape[1] != 3:
            raise ValueError(
                f"source {tuple(source.shape)} and target {tuple(target.shape)} must both be [B, 3, H, W] of one size"
            )
        flows = [self._flow(gray(a), gray(b)) for a, b in zip(source, target, strict=True)]
        stacked = flows[0][None] if len(flows) == 1 else np.stack(flows)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).to(source.device)  # channels_last

    def _flow(self, source: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        preset = self.preset
        if preset == "auto":
            preset = "fine" if source.size <= FINE_UP_TO else "medium"
        height, width = source.shape
        pad = (0, max(0, MIN_SIDE - height), 0, max(0, MIN_SIDE - width))
        if any(pad):
            source = cv2.copyMakeBorder(source, *pad, cv2.BORDER_REPLICATE)
            target = cv2.copyMakeBorder(target, *pad, cv2.BORDER_REPLICATE)
        made = (preset, *source.shape)
        if getattr(self._local, "made", None) != made:  # OpenCV's object keeps buffers: one for each thread
            self._local.dis, self._local.made = _make(*made), made
        flow: npt.NDArray[np.float32] = self._local.dis.calc(target, source, None)
        return flow[:height, :width]


def _make(preset: str, height: int, width: int) -> cv2.DISOpticalFlow:
    flow = cv2.DISOpticalFlow.create(PRESETS[preset])
    # Where the pyramid of a small or narrow frame ends above the preset's finest scale, OpenCV chooses by itself:
    # another scale at the first call than at the next, or one that does not fit the frame (it crashes).
    finest, patch = flow.getFinestScale(), flow.getPatchSize()
    if max(height, width) < 4 * patch * 2 ** (finest - 0.5) or min(height, width) < patch * 2**finest:
        flow.setFinestScale(0)
    if preset == "fine":
        flow.setFinestScale(0)
        flow.setPatchStride(4)
        flow.setGradientDescentIterations(12)
        flow.setVariationalRefinementIterations(0)
    return flow


def gray(image: Tensor) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R 601) of an RGB image ``[3, H, W]``, float32 in 0..1 or uint8 in 0..255, as uint8 ``[H, W]``."""
    if image.dtype != torch.uint8:
        image = (image * 255.0).round().clamp(0, 255).to(torch.uint8)
    rows: npt.NDArray[np.uint8] = cv2.cvtColor(image.permute(1, 2, 0).cpu().contiguous().numpy(), cv2.COLOR_RGB2GRAY)
    return rows
