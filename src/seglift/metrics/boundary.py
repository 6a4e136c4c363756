"""Boundary F measure per class, averaged over images (DAVIS: Perazzi et al., CVPR 2016, section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

_IGNORE = 255
TOLERANCE = 0.005
"""Share of the diagonal; the field also reports 0.00088, 0.001875 and 0.00375: 3, 5 and 9 pixels at 2048x1024."""
_LARGEST_DISK = 24
"""Up to this radius dilating by a disk is faster than the distance transform, of which it is a fifth at 12 pixels."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BoundaryF:
    """Sums of boundary F over images; those of several processes add up.

    For each class of an image the one-pixel boundaries of its true and predicted mask are matched within a distance of
    ceil(tolerance * image diagonal) pixels; F = 2 P R / (P + R) of the matched shares. Where the ground truth is 255
    both masks are empty. A class in neither mask is not counted for that image (DAVIS, which knows no absent
    objects, would count 1); where both have it but neither has a boundary (it fills the image), F is 1.

    Attributes:
        sums: float64 [C], F summed over images.
        images: int64 [C], how many images were counted.
        tolerance: share of the image diagonal, above 0; 0.005 is 12 px at 2048x1024, 3 px at 480x360.

    Example:
        >>> import numpy as np
        >>> truth = np.zeros((40, 40), np.uint8)
        >>> truth[10:30, 10:30] = 1
        >>> near, far = np.roll(truth, 1, axis=1), np.roll(truth, 9, axis=1)
        >>> score = BoundaryF.empty(3)
        >>> score.update(near, truth)
        >>> score.per_class().tolist(), score.mean()
        ([1.0, 1.0, nan], 1.0)
        >>> score.update(far, truth)
        >>> round(score.mean(), 3)
        0.675
    """

    sums: NDArray[np.float64]
    images: NDArray[np.int64]
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if self.sums.ndim != 1 or self.sums.shape != self.images.shape or not self.tolerance > 0:
            raise ValueError(
                f"sums and images must be [C] and tolerance above 0, got {self.sums.shape}, {self.images.shape}, "
                f"{self.tolerance}"
            )

    @classmethod
    def empty(cls, num_classes: int, tolerance: float = TOLERANCE) -> Self:
        """No image counted yet; ``num_classes`` is C, 1 to 255."""
        if not 1 <= num_classes <= _IGNORE:
            raise ValueError(f"number of classes must be 1..255, got {num_classes}")
        return cls(np.zeros(num_classes), np.zeros(num_classes, np.int64), tolerance)

    def update(self, prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Adds one image in place.

        Args:
            prediction: uint8 [H, W] train ids, 255 = no class.
            truth: uint8 [H, W] train ids, 255 = left out.

        Raises:
            ValueError: not two uint8 maps of one size.
        """
        if (
            prediction.shape != truth.shape
            or truth.ndim != 2
            or {prediction.dtype, truth.dtype} != {np.dtype(np.uint8)}
        ):
            raise ValueError(f"two uint8 [H, W] of one size are expected, got {prediction.shape} and {truth.shape}")
        valid = np.where(truth == _IGNORE, np.uint8(_IGNORE), prediction)
        radius = math.ceil(self.tolerance * math.hypot(*truth.shape))
        present = np.bincount(valid.ravel(), minlength=256) + np.bincount(truth.ravel(), minlength=256)
        for train_id in np.flatnonzero(present[: len(self.sums)]).tolist():
            self.sums[train_id] += _boundary_f(*_crop(valid == train_id, truth == train_id), radius)
            self.images[train_id] += 1

    def __add__(self, other: BoundaryF) -> BoundaryF:
        if self.sums.shape != other.sums.shape or self.tolerance != other.tolerance:
            raise ValueError("only sums of equal classes and tolerance can be added")
        return BoundaryF(self.sums + other.sums, self.images + other.images, self.tolerance)

    def per_class(self) -> NDArray[np.float64]:
        """Mean F over the images that have the class, float64 [C] in 0..1; NaN where none has."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sums / self.images, np.float64)

    def mean(self) -> float:
        """Mean of :meth:`per_class` over the classes that occur; NaN where none does."""
        known = self.per_class()[self.images > 0]
        return float(known.mean()) if known.size else float("nan")


def find_boundary(mask: Mask) -> Mask:
    """Bool [H, W]: the mask's value differs from that of the right, the lower or the lower right neighbour."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    boundary: Mask = (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])
    return boundary


def _crop(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    """Both masks cut to the box around their union, one pixel wider, which holds both boundaries."""
    x, y, width, height = cv2.boundingRect((first | second).view(np.uint8))
    rows = slice(max(y - 1, 0), y + height + 1)
    columns = slice(max(x - 1, 0), x + width + 1)
    return first[rows, columns], second[rows, columns]


def _boundary_f(prediction: Mask, truth: Mask, radius: int) -> float:
    found, wanted = find_boundary(prediction), find_boundary(truth)
    num_found, num_wanted = int(np.count_nonzero(found)), int(np.count_nonzero(wanted))
    if num_found == 0 and num_wanted == 0:
        return 1.0
    if num_found == 0 or num_wanted == 0:
        return 0.0
    precision = np.count_nonzero(found & _dilate(wanted, radius)) / num_found
    recall = np.count_nonzero(wanted & _dilate(found, radius)) / num_wanted
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _dilate(mask: Mask, radius: int) -> Mask:
    """Pixels within the Euclidean distance ``radius`` of the mask, which is not empty."""
    if radius <= _LARGEST_DISK:
        rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        disk = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
        return np.asarray(cv2.dilate(mask.view(np.uint8), disk)).view(np.bool_)
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near: Mask = distance <= math.sqrt(radius * radius + 0.5)
    return near
