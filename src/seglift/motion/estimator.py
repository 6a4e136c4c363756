"""What a motion estimator is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class MotionEstimator(Protocol):
    """Estimates the backward flow that carries ``source`` to ``target``.

    One that looks further back than ``source`` says so by an attribute ``wants_previous`` that is true; the others get
    no ``previous``, so that no frame is read for nothing.
    """

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


def wants_previous(estimator: MotionEstimator) -> bool:
    """Whether the estimator looks at the frame before ``source``."""
    return bool(getattr(estimator, "wants_previous", False))
