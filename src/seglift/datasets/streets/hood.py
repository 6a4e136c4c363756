"""The bonnet of the camera car: an ellipsoid that is fixed to the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.camera import Camera
from seglift.datasets.streets.mesh import Floats
from seglift.datasets.streets.styles import StreetStyle

CENTER = np.array([0.0, 1.17, 1.95])
RADII = np.array([1.30, 0.55, 1.10])


@dataclass(frozen=True)
class Hood:
    """What the bonnet covers in every frame of a clip.

    Attributes:
        mask: bool [H, W]; depth: float32 [H, W], metres, valid in the mask; color: float32 [H, W, 3], linear RGB.
    """

    mask: NDArray[np.bool_]
    depth: NDArray[np.float32]
    color: NDArray[np.float32]


def cast_hood(camera: Camera, style: StreetStyle, paint: tuple[float, float, float]) -> Hood:
    """Intersects all pixel rays with the ellipsoid; seen through a camera of the clip, whose pose does not matter."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    cx, cy = camera.center
    rays = np.stack([(x - cx) / camera.focal, (y - cy) / camera.focal, np.ones_like(x)], axis=2)
    scaled, start = rays / RADII, CENTER / RADII
    a, b, c = (scaled**2).sum(axis=2), scaled @ start, float(start @ start) - 1
    root = b * b - a * c
    mask = (root > 0) & (b > 0)
    depth = np.where(mask, (b - np.sqrt(np.maximum(root, 0))) / a, 0.0)
    normal = (rays * depth[..., None] - CENTER) / RADII**2
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    return Hood(mask, depth.astype(np.float32), _paint(rays, normal, style, paint))


def _paint(rays: Floats, normal: Floats, style: StreetStyle, paint: tuple[float, float, float]) -> NDArray[np.float32]:
    """Lacquer that mirrors the sky at grazing angles, a crease on each side."""
    view = rays / np.linalg.norm(rays, axis=2, keepdims=True)
    facing = np.maximum(-(view * normal).sum(axis=2, keepdims=True), 0)
    up = np.maximum(-normal[..., 1:2], 0)
    base = np.array(paint) * (0.35 + 0.65 * up) * np.array(style.sky)
    shine = (0.03 + 0.42 * (1 - facing) ** 4) * np.array(style.horizon)
    crease = 1 - 0.35 * np.exp(-(((np.abs(normal[..., 0:1]) - 0.52) / 0.035) ** 2))
    return np.asarray((base + shine) * crease, np.float32)
