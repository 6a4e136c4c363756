"""Boxes, quads, tubes, lofts and balls: the building blocks of every object in the street."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from seglift.datasets.streets.mesh import Floats, Mesh, Points, Surface, merge, triangles


def quad(points: Points, surface: Surface, uv: Points | None = None) -> Mesh:
    """A quadrilateral from four corners [4, 3], counter-clockwise seen from its front; ``uv`` [4, 2] in metres."""
    corners = np.asarray(points, dtype=np.float64)
    index = [[0, 1, 2], [0, 2, 3]]
    return triangles(corners[index], surface, None if uv is None else np.asarray(uv, dtype=np.float64)[index])


def polygon(points: Points, surface: Surface) -> Mesh:
    """A convex planar polygon [N, 3], counter-clockwise seen from its front."""
    corners = np.asarray(points, dtype=np.float64)
    return triangles(np.stack([[corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1)]), surface)


def rectangle(x0: float, y0: float, x1: float, y1: float, z: float, surface: Surface) -> Mesh:
    """A horizontal rectangle that looks up."""
    return quad([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], surface)


def wall(
    start: Sequence[float], end: Sequence[float], z0: float, z1: float, surface: Surface, width: float = 0.0
) -> Mesh:
    """A vertical rectangle over the ground line ``start`` -> ``end`` (x, y), facing the right of that direction.

    u runs along the line from 0 to ``width`` (default: its length), v is the height above ``z0``.
    """
    length = width or float(np.hypot(end[0] - start[0], end[1] - start[1]))
    points = [[*start, z0], [*end, z0], [*end, z1], [*start, z1]]
    return quad(points, surface, [[0, 0], [length, 0], [length, z1 - z0], [0, z1 - z0]])


SIDES = np.array([[0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6]])
TOP, BOTTOM = np.array([[4, 5, 7, 6]]), np.array([[2, 3, 1, 0]])


def _faces_of_box(low: ArrayLike, high: ArrayLike, quads: NDArray[np.int64], surface: Surface) -> Mesh:
    """Some of a box's faces; corner i has x high if bit 0 of i is set, y if bit 1, z if bit 2."""
    bounds = np.stack([np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)])
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    corners = bounds[bits, np.arange(3)]
    return triangles(corners[quads[:, [[0, 1, 2], [0, 2, 3]]]], surface)


def box(
    x0: float, y0: float, z0: float, x1: float, y1: float, z1: float, surface: Surface, top: Surface | None = None
) -> Mesh:
    """An axis-parallel box without bottom; ``top`` may have a surface of its own."""
    low, high = (x0, y0, z0), (x1, y1, z1)
    if top is None:
        return _faces_of_box(low, high, np.concatenate([SIDES, TOP]), surface)
    return merge([_faces_of_box(low, high, SIDES, surface), _faces_of_box(low, high, TOP, top)])


def block(center: Sequence[float], size: Sequence[float], surface: Surface) -> Mesh:
    """A closed box by centre and size (x, y, z)."""
    low, high = np.asarray(center) - np.asarray(size) / 2, np.asarray(center) + np.asarray(size) / 2
    return _faces_of_box(low, high, np.concatenate([SIDES, TOP, BOTTOM]), surface)


def loft(rings: Points, surface: Surface, closed: bool = True) -> Mesh:
    """A skin through ``rings`` [N, M, 3]; ring points run counter-clockwise seen from the last ring.

    u runs around the ring and v along the rings, both in metres.
    """
    points = np.asarray(rings, dtype=np.float64)
    if closed:
        points = np.concatenate([points, points[:, :1]], axis=1)
    around = np.linalg.norm(np.diff(points, axis=1), axis=2).mean(axis=0)
    along = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    u, v = np.concatenate([[0.0], around.cumsum()]), np.concatenate([[0.0], along.cumsum()])
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), axis=2)
    return triangles(_grid_faces(points), surface, _grid_faces(uv))


def _grid_faces(grid: Floats) -> Floats:
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    return np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)], axis=2).reshape(-1, 3, grid.shape[2])


def tube(path: Points, radii: ArrayLike, surface: Surface, sides: int = 8, caps: bool = True) -> Mesh:
    """A smooth round tube along ``path`` [N, 3] with a radius per point."""
    points = np.asarray(path, dtype=np.float64)
    radius = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(points))
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    guide = np.array([1.0, 0, 0]) if abs(tangent[0, 0]) < 0.8 else np.array([0, 1.0, 0])
    side = np.cross(tangent, guide)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangent, side)
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    rings = points[:, None] + circle * radius[:, None, None]
    parts = [loft(rings, surface).smoothed(1.2)]
    if caps:
        parts += [polygon(rings[0][::-1], surface), polygon(rings[-1], surface)]
    return merge(parts)


def disk(center: Sequence[float], axis: Sequence[float], radius: float, surface: Surface, sides: int = 16) -> Mesh:
    """A round plate that faces along ``axis``; uv runs over -radius..radius around its centre."""
    normal = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    up = np.array([0, 0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0, 1.0, 0])
    right = np.cross(up, normal)
    right /= np.linalg.norm(right)
    up = np.cross(normal, right)
    angle = np.arange(sides) * (2 * np.pi / sides) + np.pi / sides
    flat = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.asarray(center) + flat[:, :1] * right + flat[:, 1:] * up
    index = [[0, i, i + 1] for i in range(1, sides - 1)]
    return triangles(points[index], surface, flat[index])


@lru_cache(maxsize=8)
def _icosphere(subdivisions: int) -> Floats:
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    return np.asarray(sphere.vertices[sphere.faces], dtype=np.float64)


def ball(center: Sequence[float], radii: Sequence[float], surface: Surface, subdivisions: int = 1) -> Mesh:
    """A smooth ellipsoid with half axes ``radii``."""
    unit = _icosphere(subdivisions)
    normals = unit / np.asarray(radii)
    normals = normals / np.linalg.norm(normals, axis=2, keepdims=True)
    return triangles(unit * np.asarray(radii) + np.asarray(center), surface, None, normals)


def icosphere(subdivisions: int) -> Floats:
    """Unit sphere as triangles, float64 [F, 3, 3] (a copy)."""
    return _icosphere(subdivisions).copy()
