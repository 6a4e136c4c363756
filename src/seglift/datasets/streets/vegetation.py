"""Trees, bushes and hedges with irregular outlines."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.classes import VEGETATION
from seglift.datasets.streets.mesh import Color, Floats, Mesh, Surface, merge, scaled, triangles
from seglift.datasets.streets.primitives import icosphere, tube


def lump(rng: np.random.Generator, center: Floats, radii: Floats, surface: Surface, subdivisions: int = 2) -> Mesh:
    """A ball of leaves: an ellipsoid with bumps of three sizes."""
    unit = icosphere(subdivisions)
    bumps = np.zeros(unit.shape[:2])
    for scale, height in ((2.5, 0.14), (6.0, 0.09), (13.0, 0.06)):
        directions = rng.normal(size=(5, 3)) * scale
        bumps += height * np.sin(unit @ directions.T + rng.uniform(0, 6.3, 5)).sum(axis=2) / 2
    corners = unit * (1 + bumps)[..., None] * radii + center
    return triangles(corners, surface).smoothed(1.6)


def leaf_cards(rng: np.random.Generator, centers: Floats, middle: Floats, size: float, surface: Surface) -> Mesh:
    """Small ragged triangles at ``centers`` [N, 3], lit as if they lay on a ball around ``middle``."""
    count = len(centers)
    offsets = rng.normal(size=(count, 3, 3)) * size
    corners = centers[:, None] + offsets - offsets.mean(axis=1, keepdims=True)
    normals = centers - middle + rng.normal(size=(count, 3)) * 0.4
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    uv = rng.uniform(0, 2, (count, 1, 2)) + offsets[..., :2]
    return triangles(corners, surface, uv, np.repeat(normals[:, None], 3, axis=1))


def tree(rng: np.random.Generator, leaf: Color, bark: Color) -> Mesh:
    """A broad-leaved street tree, 6..9 m high, at the origin."""
    trunk = rng.uniform(2.3, 3.0)
    crown_radius, crown_height = rng.uniform(1.5, 2.1), rng.uniform(1.9, 2.7)
    lean = rng.normal(0, 0.12, 2)
    middle = np.array([lean[0], lean[1], trunk + crown_height * 0.85])
    wood = Surface("bark", bark, VEGETATION)
    green = Surface("leaves", leaf, VEGETATION)
    path = [[0.0, 0.0, 0.0], [0.02, 0, 0.25], [lean[0] * 0.5, lean[1] * 0.5, trunk * 0.7], [*middle[:2], middle[2]]]
    parts = [tube(path, [0.24, 0.16, 0.13, 0.07], wood, sides=8, caps=False)]
    cards = []
    for i in range(8):
        angle = 2 * np.pi * (i + rng.uniform(-0.3, 0.3)) / 7
        reach = 0.0 if i == 7 else crown_radius * rng.uniform(0.45, 0.68)
        height = crown_height * (0.75 if i == 7 else rng.uniform(-0.42, 0.4))
        center = middle + np.array([reach * np.cos(angle), reach * np.sin(angle), height])
        radii = rng.uniform(0.75, 1.15) * crown_radius * np.array([0.56, 0.56, 0.50])
        shade = rng.uniform(0.82, 1.12)
        tone = Surface("leaves", scaled(leaf, float(shade)), VEGETATION)
        parts.append(lump(rng, center, radii, tone))
        directions = rng.normal(size=(90, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        cards.append(center + directions * radii * rng.uniform(0.95, 1.28, (90, 1)))
        if i < 4:
            start = middle * np.array([0.7, 0.7, 0]) + np.array([0, 0, trunk * rng.uniform(0.75, 1.0)])
            parts.append(tube([start, (start + center) / 2 + [0, 0, -0.1], center], [0.08, 0.06, 0.03], wood, 6, False))
    parts.append(leaf_cards(rng, np.concatenate(cards), middle, 0.14, green))
    return merge(parts)


def conifer(rng: np.random.Generator, leaf: Color, bark: Color) -> Mesh:
    """A slim evergreen, 6..8 m high, at the origin."""
    dark = Surface("leaves", (leaf[0] * 0.55, leaf[1] * 0.62, leaf[2] * 0.8), VEGETATION)
    height = rng.uniform(5.5, 8.0)
    parts = [tube([[0, 0, 0], [0, 0, height * 0.5]], [0.16, 0.1], Surface("bark", bark, VEGETATION), 6, False)]
    cards = []
    for z in np.linspace(0.16, 0.92, 6):
        radius = 1.5 * (1 - z) + 0.22
        center = np.array([0, 0, z * height])
        parts.append(lump(rng, center, np.array([radius, radius, height * 0.12]), dark, 1))
        angle = rng.uniform(0, 2 * np.pi, 50)
        ring = np.stack([np.cos(angle), np.sin(angle), rng.uniform(-0.5, 0.3, 50)], axis=1)
        cards.append(center + ring * radius * rng.uniform(0.8, 1.25, (50, 1)))
    parts.append(leaf_cards(rng, np.concatenate(cards), np.array([0, 0, height * 0.4]), 0.17, dark))
    return merge(parts)


def bush(rng: np.random.Generator, leaf: Color) -> Mesh:
    """A knee- to head-high shrub at the origin."""
    green = Surface("leaves", leaf, VEGETATION)
    parts, cards = [], []
    for _ in range(3):
        center = np.array([rng.normal(0, 0.3), rng.normal(0, 0.3), rng.uniform(0.4, 0.7)])
        radii = rng.uniform(0.4, 0.7) * np.array([1, 1, 0.95])
        parts.append(lump(rng, center, radii, green, 1))
        directions = rng.normal(size=(40, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        cards.append(center + directions * radii * 1.1)
    points = np.concatenate(cards)
    points = points[points[:, 2] > 0.15]
    parts.append(leaf_cards(rng, points, np.array([0, 0, 0.3]), 0.09, green))
    return merge(parts)


def hedge(rng: np.random.Generator, length: float, height: float, leaf: Color) -> Mesh:
    """A clipped hedge along x from 0 to ``length``, 0.7 m deep towards +y."""
    green = Surface("leaves", leaf, VEGETATION)
    count = max(2, round(length / 0.35))
    profile = np.array([[0.0, 0.0], [0.0, 0.5], [0.02, 0.92], [0.35, 1.0], [0.68, 0.92], [0.7, 0.0]])
    rings = np.empty((count + 1, len(profile), 3))
    rings[..., 0] = np.linspace(0, length, count + 1)[:, None]
    rings[..., 1] = profile[:, 0] + rng.normal(0, 0.035, (count + 1, len(profile)))
    rings[..., 2] = profile[:, 1] * height * (1 + rng.normal(0, 0.03, (count + 1, len(profile))))
    a, b, c, d = rings[:-1, :-1], rings[1:, :-1], rings[1:, 1:], rings[:-1, 1:]
    corners = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2).reshape(-1, 3, 3)
    cards = np.stack(
        [rng.uniform(0, length, count * 12), rng.uniform(0, 0.7, count * 12), np.full(count * 12, height)], 1
    )
    middle = np.array([length / 2, 0.35, -3.0])
    return merge([triangles(corners, green).smoothed(1.0), leaf_cards(rng, cards, middle, 0.06, green)])
