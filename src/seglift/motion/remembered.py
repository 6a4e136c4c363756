"""Flows that were estimated a moment ago, so that neighbouring steps share them."""

from __future__ import annotations

import threading
from collections import deque

from torch import Tensor

from seglift.base.threads import worker_count
from seglift.motion.estimator import MotionEstimator

KEPT = 4
"""Flows for each thread that may be at work: a step asks for two, its opposite for two more."""


class RememberedFlow:
    """A :class:`~seglift.motion.estimator.MotionEstimator` that keeps its last results.

    A pair is known again when both of its frames are the very same tensors, which callers must not write into. Safe to
    call from several threads at once.

    Args:
        estimator: estimates what is not known.
        kept: how many flows are kept, with their frames; None keeps those of all threads that may be at work.
    """

    def __init__(self, estimator: MotionEstimator, kept: int | None = None) -> None:
        self.estimator = estimator
        self._known: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=kept or KEPT * worker_count())
        self._lock = threading.Lock()

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Backward flow on ``target`` sampling ``source``; see :class:`~seglift.motion.estimator.MotionEstimator`."""
        del previous
        with self._lock:
            for known_source, known_target, flow in self._known:
                if known_source is source and known_target is target:
                    return flow
        flow = self.estimator(source, target)
        with self._lock:
            self._known.append((source, target, flow))
        return flow
