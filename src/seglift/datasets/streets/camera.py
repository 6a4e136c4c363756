"""A pinhole camera and where it looks.

Pixel centres lie at integer coordinates, x to the right, y down; the camera frame is x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.mesh import Floats

SLACK = 0.01
Reals = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Camera:
    """A camera at one moment.

    Attributes:
        position: (x, y, z) in the world, metres.
        heading: radians, 0 looks along +y, positive to the left.
        pitch: radians, positive looks up.
        height, width: image size in pixels.
        focal: focal length in pixels.
        horizon: row of the principal point as a share of the height.
    """

    position: tuple[float, float, float]
    heading: float
    pitch: float
    height: int
    width: int
    focal: float
    horizon: float = 0.5

    @cached_property
    def axes(self) -> Floats:
        """Rows: the camera's x, y and z axes in the world, float64 [3, 3]."""
        ch, sh, cp, sp = np.cos(self.heading), np.sin(self.heading), np.cos(self.pitch), np.sin(self.pitch)
        forward = np.array([-sh * cp, ch * cp, sp])
        right = np.array([ch, sh, 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def center(self) -> tuple[float, float]:
        """Principal point (x, y) in pixels."""
        return (self.width - 1) / 2, (self.height - 1) * self.horizon

    def rays(self, x: Reals, y: Reals) -> NDArray[np.float32]:
        """Directions in the world through pixels (x, y), float32 [N, 3], with depth 1 along the optical axis."""
        cx, cy = self.center
        right, down, forward = self.axes
        across, along = ((x - cx) / self.focal)[:, None], ((y - cy) / self.focal)[:, None]
        return np.asarray(across * right + along * down + forward, np.float32)

    def project(self, offsets: Reals) -> tuple[Reals, Reals]:
        """Pixels [N, 2] and depths [N] in metres of points given relative to the camera's position [N, 3].

        The result has the dtype of ``offsets``. Points at or behind the camera get a depth <= 0 and meaningless
        pixels far outside the image.
        """
        local = np.einsum("nk,ck->nc", offsets, self.axes.astype(offsets.dtype))
        depth = local[:, 2]
        gain = np.float32(self.focal) / np.maximum(depth, np.float32(1e-6))
        pixels = local[:, :2] * gain[:, None]
        pixels += np.array(self.center, offsets.dtype)
        return pixels, depth

    def inside(self, pixels: Reals, depth: Reals) -> NDArray[np.bool_]:
        """Whether projected points lie in front and within the centres of the image's border pixels (0.01 px slack)."""
        x, y = pixels[:, 0], pixels[:, 1]
        within = (x >= -SLACK) & (y >= -SLACK) & (x <= self.width - 1 + SLACK) & (y <= self.height - 1 + SLACK)
        return (depth > 1e-6) & within
