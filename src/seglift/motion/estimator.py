"""What a motion estimator is, and the names that the command line knows."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from seglift.base.errors import UserError


class MotionEstimator(Protocol):
    """Estimates the backward flow that carries ``source`` to ``target``."""

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Backward flow on ``target`` that samples ``source``.

        Args:
            source: RGB ``[B, 3, H, W]``, float32 in 0..1 or uint8 in 0..255.
            target: the same shape and dtype.
            previous: the frame before ``source`` in the direction of travel, for models that look further back.

        Returns:
            float32 ``[B, 2, H, W]``, dx and dy in pixels: ``target(x, y) ~ source(x + dx, y + dy)``.
        """
        ...


MOTION_NAMES = (
    "dis",
    "dis:ultrafast",
    "dis:fast",
    "dis:medium",
    "dis:fine",
    "raft",
    "raft:small",
    "raft:large",
    "raft:FILE",
)


def get_estimator(name: str, device: torch.device | str = "cpu") -> MotionEstimator:
    """Makes the estimator called ``name`` (see ``MOTION_NAMES``); networks run on ``device``.

    Raises:
        UserError: the name is unknown, or weights cannot be had.
    """
    kind, _, detail = name.partition(":")
    if kind == "dis":
        from seglift.motion.dis import PRESETS, DisFlow

        if detail and detail not in PRESETS:
            raise UserError(f"DIS preset '{detail}' is unknown; choose one of {', '.join(PRESETS)}")
        return DisFlow(detail or "auto")
    if kind == "raft":
        from seglift.motion.raft import RaftFlow

        if detail in ("", "small", "large"):
            return RaftFlow.published(detail or "small", device)
        return RaftFlow.from_file(Path(detail), device)
    raise UserError(f"motion '{name}' is unknown; choose one of {', '.join(MOTION_NAMES)}")
