"""Where one ray per pixel is not enough."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.mesh import Mesh
from seglift.datasets.streets.shading import Sample
from seglift.datasets.streets.tracing import Hits

OFFSETS = np.array([[-0.10, -0.36], [0.36, 0.09], [-0.26, 0.27]])
COLOR_STEP = 0.12
DEPTH_STEP = 0.06


def rough_pixels(faces: Mesh, hits: Hits, sample: Sample, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels to supersample, bool [H * W]: beside a step in object, depth, light or colour.

    Depth steps are looked for in the second difference of inverse depth, which is zero on planes.
    """
    instance = np.where(hits.face >= 0, faces.instance[hits.face], 0).reshape(shape)
    inverse = np.where(hits.face >= 0, 1 / np.maximum(hits.distance, 1e-3), 0).astype(np.float32).reshape(shape)
    color = np.sqrt(np.clip(sample.color, 0, 1)).reshape(*shape, 3)
    rough = np.zeros(shape, bool)
    for axis in (0, 1):
        step = np.abs(np.diff(color, axis=axis)).max(axis=2) > COLOR_STEP
        step |= np.diff(instance.astype(np.int32), axis=axis) != 0
        before, after = (slice(None, -1), slice(1, None))
        if axis == 0:
            rough[before] |= step
            rough[after] |= step
        else:
            rough[:, before] |= step
            rough[:, after] |= step
    bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE))
    rough |= bend > DEPTH_STEP * inverse
    return rough.ravel()
