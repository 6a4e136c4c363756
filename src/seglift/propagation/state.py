"""What one keyframe says about one frame, and the motion between two neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from seglift.base.errors import UserError
from seglift.motion.consistency import forward_backward_error
from seglift.motion.estimator import MotionEstimator
from seglift.motion.maps import identity_map

LARGE_FRAME = 1_000_000
"""Frames of more pixels have their forward-backward error evaluated at every second pixel."""


@dataclass(frozen=True)
class StepMotion:
    """Motion between two neighbouring frames, seen from the target.

    Attributes:
        flow: backward flow on the target that samples the source, float32 ``[B, 2, H, W]`` in pixels.
        error: forward-backward error of ``flow``, float32 ``[B, H, W]`` in pixels.
    """

    flow: Tensor
    error: Tensor


@dataclass(frozen=True)
class Origin:
    """The keyframe that labels come from; shared by all states that come from it, never copied.

    Attributes:
        labels: uint8 ``[B, H, W]`` space index, as the human drew them.
        image: RGB uint8 ``[B, 3, H, W]``.
    """

    labels: Tensor
    image: Tensor

    @cached_property
    def label_shares(self) -> Tensor:
        """Share of the pixels that each space index has, float32 ``[256]``."""
        return torch.bincount(self.labels.flatten(), minlength=256) / self.labels.numel()

    @cached_property
    def support(self) -> Tensor:
        """How far inside its class each pixel lies, uint8 ``[B, H, W]``: see :func:`label_support`."""
        return label_support(self.labels)


@dataclass(frozen=True)
class Propagated:
    """A keyframe's labels carried to one frame.

    Attributes:
        labels: uint8 ``[B, H, W]`` space index on this frame.
        trace: float32 ``[B, 4, H, W]``, carried together so that a step is one sampling: the x and y a pixel has in the
            keyframe, the worst forward-backward error of the steps on the way (pixels), and the share (0..1) of it
            that lay out of view on the way.
        filled: bool ``[B, H, W]``: where the labels came from a segmentation model on the way.
        origin: the keyframe.
        distance: frames from the keyframe.
        photometric: uint8 ``[B, H, W]``: how different the keyframe looks there (0..255), see
            :func:`seglift.propagation.evidence.observe`; None where nobody looked.
        refined: bool ``[B, H, W]``: where a refiner changed the labels on the way; None where none was at work.
    """

    labels: Tensor
    trace: Tensor
    filled: Tensor
    origin: Origin
    distance: int
    photometric: Tensor | None = None
    refined: Tensor | None = None

    @property
    def sampling_map(self) -> Tensor:
        """Where each pixel lies in the keyframe, float32 ``[B, 2, H, W]``."""
        return self.trace[:, :2]

    @property
    def error(self) -> Tensor:
        """Worst forward-backward error of the steps on the way, float32 ``[B, H, W]`` in pixels."""
        return self.trace[:, 2]

    @property
    def out_of_view(self) -> Tensor:
        """Where the keyframe did not show what is here because it lay outside, bool ``[B, H, W]``."""
        return self.trace[:, 3] >= 0.5


def label_support(labels: Tensor) -> Tensor:
    """Share of a pixel's neighbourhood that has its label: all inside a region, little on thin parts and at edges.

    Args:
        labels: uint8 ``[B, H, W]``.

    Returns:
        uint8 ``[B, H, W]``, 0..255 = 0..1: Gaussian-weighted (sigma 0.8 pixels) over 5 x 5, the border replicated.
    """
    weights = [math.exp(-(offset**2) / (2 * 0.8**2)) for offset in range(-2, 3)]
    height, width = labels.shape[-2:]
    padded = functional.pad(labels[None].float(), (2, 2, 2, 2), mode="replicate")[0].to(labels.dtype)
    total = torch.zeros(labels.shape, dtype=torch.float32, device=labels.device)
    for row, vertical in enumerate(weights):
        for column, horizontal in enumerate(weights):
            same = padded[:, row : row + height, column : column + width] == labels
            total.add_(same, alpha=vertical * horizontal / sum(weights) ** 2)
    return (total * 255.0).round_().to(torch.uint8)


def keyframe_state(origin: Origin) -> Propagated:
    """The state on the keyframe itself: identity map, no error, nothing out of view."""
    labels = origin.labels
    batch, height, width = labels.shape
    trace = labels.new_zeros((batch, height, width, 4), dtype=torch.float32).permute(0, 3, 1, 2)
    trace[:, :2] = identity_map(height, width, labels.device)
    return Propagated(labels, trace, torch.zeros_like(labels, dtype=torch.bool), origin, 0)


GetFrame = Callable[[int], Tensor]
"""RGB uint8 ``[1, 3, H, W]`` of a frame by its index in the clip."""


@dataclass(frozen=True)
class FramePair:
    """Two neighbouring frames, read only when asked for.

    Attributes:
        frame: gives the frames.
        source_index: the frame that labels come from.
        target_index: its neighbour that they are carried to.
    """

    frame: GetFrame
    source_index: int
    target_index: int

    @property
    def source(self) -> Tensor:
        """RGB uint8 ``[1, 3, H, W]``."""
        return self.frame(self.source_index)

    @property
    def target(self) -> Tensor:
        """RGB uint8 ``[1, 3, H, W]``."""
        return self.frame(self.target_index)


class Propagator(Protocol):
    """One-sided propagation, ``L*_k = Psi(L*_{k-1}, I_{k-1}, I_k)`` (Ganeshan et al. 2021, equation 1)."""

    def step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        """Carries ``state`` from the source of ``frames`` to its target.

        Args:
            state: on the source.
            frames: the two neighbours.
            motion: from source to target (see :func:`estimate_pair`).
        """
        ...


def estimate_pair(
    estimator: MotionEstimator,
    first: Tensor,
    second: Tensor,
    before_first: Tensor | None = None,
    after_second: Tensor | None = None,
) -> tuple[StepMotion, StepMotion]:
    """Motion between two neighbouring frames in both directions, one flow each way.

    Args:
        estimator: the motion estimator.
        first: RGB ``[B, 3, H, W]``, uint8 or float32 in 0..1.
        second: the next frame, same shape and dtype.
        before_first: the frame before ``first``, for estimators that look further back; None where there is none.
        after_second: the frame after ``second``, the same for the way back.

    Returns:
        The step onto ``second`` (samples ``first``) and the step onto ``first`` (samples ``second``).

    Raises:
        UserError: the estimator gave NaN or infinite flow.
    """
    onto_second = estimate_flow(estimator, first, second, before_first)
    onto_first = estimate_flow(estimator, second, first, after_second)
    stride = 2 if first.shape[2] * first.shape[3] > LARGE_FRAME else 1
    return (
        StepMotion(onto_second, forward_backward_error(onto_second, onto_first, stride)),
        StepMotion(onto_first, forward_backward_error(onto_first, onto_second, stride)),
    )


def estimate_flow(estimator: MotionEstimator, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
    """One flow that can be relied on to be numbers; arguments and result as of ``MotionEstimator``.

    Raises:
        UserError: the estimator gave NaN or infinite flow.
    """
    flow = estimator(source, target, previous)
    if not bool(torch.isfinite(flow.sum())) and not bool(torch.isfinite(flow).all()):
        raise UserError(
            "the motion estimator gave NaN or infinite flow, expected pixels; check its weights, or use --motion dis"
        )
    return flow
