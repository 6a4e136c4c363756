"""A pinhole camera and where it looks.

Pixel centres lie at integer coordinates, x to the right, y down; the camera frame is x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.mesh import Floats


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

    def rays(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
        """Directions in the world through pixels (x, y), float64 [N, 3], with depth 1 along the optical axis."""
        cx, cy = self.center
        local = np.stack([(x - cx) / self.focal, (y - cy) / self.focal, np.ones_like(x, dtype=np.float64)], axis=1)
        return np.asarray(np.einsum("nk,kc->nc", local, self.axes))

    def project(self, offsets: Floats) -> tuple[Floats, Floats]:
        """Pixels float64 [N, 2] and depths [N] in metres of points given relative to the camera's position [N, 3].

        Points at or behind the camera get a depth <= 0 and meaningless pixels far outside the image.
        """
        local = np.einsum("nk,ck->nc", offsets, self.axes)
        depth = local[:, 2]
        safe = np.where(depth > 1e-6, depth, 1e-6)
        pixels = local[:, :2] / safe[:, None] * self.focal
        pixels += np.array(self.center)
        return pixels, depth

    def inside(self, pixels: Floats, depth: Floats) -> NDArray[np.bool_]:
        """Whether projected points lie in the image: within the centres of its border pixels, in front."""
        x, y = pixels[:, 0], pixels[:, 1]
        return (depth > 1e-6) & (x >= 0) & (y >= 0) & (x <= self.width - 1) & (y <= self.height - 1)
