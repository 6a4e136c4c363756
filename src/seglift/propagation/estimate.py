"""How good a labelled frame is expected to be: its mIoU from labels and confidence, without ground truth."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.labels.space import IGNORE_TRAIN_ID, Array8
from seglift.metrics.confusion import PRESENT_FROM
from seglift.propagation.state import LARGE_FRAME

WINDOW = 11
"""Side of the square around a doubtful pixel whose classes may be the right one; pixels, odd."""
UNSEEN = 0.01
"""Weight, against 1 for the whole window, of the right class being none of those in the window."""

Floats = NDArray[np.floating[Any]]


def estimate_miou(labels: Array8, confidence: Floats) -> float | None:
    """The mIoU that a frame is expected to have, mean of the IoU of the classes that are expected to be in it.

    Confidence ``q(p)`` is the probability that the label of pixel ``p`` is right where it is evaluated. Of class ``k``

    - true positives are expected to be ``tp = sum of q`` over its pixels;
    - the doubt ``1 - q(p)`` of every pixel ``p`` of another class is shared among the classes seen around ``p``, by
      their shares of the square of ``WINDOW`` pixels, and :data:`UNSEEN` for all that is not seen there: labels that
      motion carried are wrong at borders, where the right class is the one across. What ``k`` receives are its
      expected misses ``fn``;
    - its IoU is then ``tp / (pixels labelled k + fn)``, and its true area is expected to be ``tp + fn``.

    Nothing is doubted in favour of void, because confidence is that of pixels with a class; void pixels are misses of
    the classes around them. The estimate is as good as confidence is calibrated. With confidence 1 it is 1.

    The shares are never held by class: with ``w(p) = (1 - q(p)) / (share of the other classes + UNSEEN)`` and ``own``
    the share of a pixel's own class in its window, ``fn`` of ``k`` is the sum over its pixels of ``w`` averaged over
    the window, less the sum of ``w * own``. Frames of more than :data:`.state.LARGE_FRAME` pixels are taken at every
    second pixel of both axes.

    Args:
        labels: uint8 ``[H, W]`` train ids, 255 = void.
        confidence: float32 ``[H, W]`` in 0..1.

    Returns:
        0..1; None where no class is expected to have :data:`.confusion.PRESENT_FROM` pixels or more.

    Raises:
        ValueError: the two differ in size.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat(np.uint8([0, 1]), 400).reshape(2, 400)
        >>> estimate_miou(labels, np.ones((2, 400), np.float32))
        1.0
        >>> round(estimate_miou(labels, np.full((2, 400), 0.9, np.float32)), 3)  # 0.9 / (1 + 0.1) but for UNSEEN
        0.82
    """
    if labels.shape != confidence.shape:
        raise ValueError(f"labels and confidence must be of one size, got {labels.shape} and {confidence.shape}")
    step = 2 if labels.size > LARGE_FRAME else 1
    labels, doubt = np.ascontiguousarray(labels[::step, ::step]), 1.0 - confidence[::step, ::step]
    places = labels.ravel().astype(np.intp)
    pixels = _by_class(places, None)
    own, others, around = _shares(labels, np.flatnonzero(pixels))
    weight = doubt / (others + np.float32(UNSEEN))
    right = pixels - _by_class(places, doubt)
    missed = np.maximum(_by_class(places, _window_sum(weight / around) - weight * own), 0.0)
    present = (right + missed) * step**2 >= PRESENT_FROM
    return float((right[present] / (pixels + missed)[present]).mean()) if present.any() else None


def _shares(labels: Array8, classes: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
    """Of each pixel's window, float32 ``[H, W]``: shares of its own class (void: 0) and of others, and its size."""
    own, around = np.zeros(labels.shape, np.float32), _window_sum(np.ones_like(labels))
    for number in classes:
        mask = (labels == number).view(np.uint8)
        cv2.copyTo(_window_sum(mask), mask, own)
    named = _window_sum((labels != IGNORE_TRAIN_ID).view(np.uint8))
    return own / around, (named - own) / around, around


def _window_sum(values: NDArray[np.uint8] | Floats) -> Floats:
    """Sums over the part of each pixel's window that lies in the frame, float32 ``[H, W]``."""
    sums = cv2.boxFilter(values, cv2.CV_32F, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(sums, np.float32)


def _by_class(places: NDArray[np.intp], values: Floats | None) -> NDArray[np.float64]:
    """Sums of ``values`` over the pixels of each train id, or their number, float64 ``[255]``; void is left out."""
    weights = None if values is None else values.ravel()
    return np.bincount(places, weights, IGNORE_TRAIN_ID + 1)[:IGNORE_TRAIN_ID].astype(np.float64)
