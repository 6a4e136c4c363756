"""Networks that several threads share: on a GPU they are asked by one thread at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import Tensor

from seglift.inference.semantic_model import SemanticModel
from seglift.motion.estimator import MotionEstimator, wants_previous

Lock = AbstractContextManager[object]
"""Entered by one thread at a time."""


class TurnTakingEstimator:
    """A :class:`~seglift.motion.estimator.MotionEstimator` that waits for its turn."""

    def __init__(self, estimator: MotionEstimator, lock: Lock) -> None:
        self._estimator, self._lock = estimator, lock
        self.wants_previous = wants_previous(estimator)

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """As the estimator, one call at a time."""
        with self._lock:
            return self._estimator(source, target, previous)


class TurnTakingModel:
    """A :class:`~seglift.inference.semantic_model.SemanticModel` that waits for its turn."""

    def __init__(self, model: SemanticModel, lock: Lock) -> None:
        self._model, self._lock = model, lock
        self.space_classes = model.space_classes

    def logits(self, images: Tensor) -> Tensor:
        """As the model's, one call at a time."""
        with self._lock:
            return self._model.logits(images)

    def features(self, images: Tensor) -> Tensor:
        """As the model's, one call at a time."""
        with self._lock:
            return self._model.features(images)
