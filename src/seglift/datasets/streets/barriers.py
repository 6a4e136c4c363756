"""Fences and garden walls along x from 0 to their length, standing on y = 0."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.classes import FENCE, WALL
from seglift.datasets.streets.mesh import Color, Mesh, Surface, merge
from seglift.datasets.streets.primitives import block, box


def garden_wall(rng: np.random.Generator, length: float, height: float, tint: Color) -> Mesh:
    """A brick or rendered wall with a coping and piers."""
    face = Surface(str(rng.choice(["brick", "stone"])), tint, WALL)
    cap = Surface("stone", (0.5, 0.48, 0.45), WALL)
    parts = [
        box(0, 0, 0, length, 0.24, height, face),
        block((length / 2, 0.12, height + 0.04), (length, 0.34, 0.08), cap),
    ]
    for x in np.arange(0.2, length, 3.2):
        parts.append(box(x - 0.2, -0.06, 0, x + 0.2, 0.30, height + 0.22, face, cap))
    return merge(parts)


def picket_fence(length: float, height: float, tint: Color) -> Mesh:
    """Upright pales on two rails, with posts."""
    wood = Surface("planks", tint, FENCE)
    parts = [block((length / 2, 0.04, z), (length, 0.04, 0.09), wood) for z in (height * 0.28, height * 0.78)]
    parts += [block((x, 0.0, height / 2), (0.085, 0.025, height), wood) for x in np.arange(0.06, length, 0.135)]
    parts += [block((x, 0.08, height / 2), (0.11, 0.11, height + 0.12), wood) for x in np.arange(0.1, length, 2.4)]
    return merge(parts)


def board_fence(length: float, height: float, tint: Color) -> Mesh:
    """Close boards with posts: hides what is behind."""
    wood = Surface("planks", tint, FENCE)
    parts = [box(0, 0, 0, length, 0.04, height, wood)]
    parts += [block((x, -0.03, height / 2), (0.1, 0.06, height + 0.1), wood) for x in np.arange(0.1, length, 2.0)]
    return merge(parts)


def railing(length: float) -> Mesh:
    """A steel guard rail at a crossing: two bars and uprights."""
    steel = Surface("plain", (0.22, 0.23, 0.24), FENCE)
    parts = [block((length / 2, 0, z), (length, 0.05, 0.05), steel) for z in (0.25, 0.95)]
    parts += [block((x, 0, 0.5), (0.03, 0.03, 1.0), steel) for x in np.arange(0.05, length, 0.16)]
    return merge(parts)
