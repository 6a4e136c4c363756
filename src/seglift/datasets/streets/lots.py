"""What stands along the building line: rows of houses, cottages with gardens, walls and fences with trees behind."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets import vegetation
from seglift.datasets.streets.barriers import board_fence, garden_wall, picket_fence
from seglift.datasets.streets.buildings import DEPTH, cottage, pick, town_house
from seglift.datasets.streets.classes import SIDEWALK
from seglift.datasets.streets.ground import CURB
from seglift.datasets.streets.mesh import Mesh, Surface, merge
from seglift.datasets.streets.plan import HALF_CROSS, Plan
from seglift.datasets.streets.primitives import rectangle
from seglift.datasets.streets.styles import StreetStyle


class Garden:
    """A few plants of each kind that are planted again and again, turned and scaled.

    Args:
        rng: source of randomness.
        style: colours.
    """

    def __init__(self, rng: np.random.Generator, style: StreetStyle) -> None:
        leaves = [pick(rng, style.leaf) for _ in range(4)]
        self.leaf = leaves[0]
        self._trees = [vegetation.tree(rng, leaf, style.bark) for leaf in leaves]
        self._conifers = [vegetation.conifer(rng, leaf, style.bark) for leaf in leaves[:2]]
        self._bushes = [vegetation.bush(rng, leaf) for leaf in leaves]

    def tree(self, rng: np.random.Generator, x: float, y: float, z: float = CURB) -> Mesh:
        """A broad-leaved tree."""
        return self._plant(rng, self._trees, x, y, z)

    def any_tree(self, rng: np.random.Generator, x: float, y: float, z: float = CURB) -> Mesh:
        """A tree or a conifer."""
        return self._plant(rng, self._trees if rng.random() < 0.7 else self._conifers, x, y, z)

    def bush(self, rng: np.random.Generator, x: float, y: float, z: float = CURB) -> Mesh:
        """A bush."""
        return self._plant(rng, self._bushes, x, y, z)

    def _plant(self, rng: np.random.Generator, kinds: list[Mesh], x: float, y: float, z: float) -> Mesh:
        kind = kinds[int(rng.integers(len(kinds)))]
        return kind.placed(x, y, z, float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.82, 1.18)))


def lots(rng: np.random.Generator, style: StreetStyle, plan: Plan) -> list[Mesh]:
    """All lots of the main street and the cross streets, and the houses that close the view."""
    garden = Garden(rng, style)
    parts = []
    line = plan.building_line
    for index, (y0, y1) in enumerate(plan.blocks()):
        low = y0 + plan.sidewalk * (index > 0)
        high = y1 - plan.sidewalk * (index < len(plan.crossings))
        for mesh, at, width in _row(rng, style, garden, high - low):
            parts.append(mesh.placed(line, low + at + width, CURB - 0.02, -np.pi / 2))
        for mesh, at, _ in _row(rng, style, garden, high - low):
            parts.append(mesh.placed(-line, low + at, CURB - 0.02, np.pi / 2))
    inner = line + DEPTH + 1.0
    for center in plan.crossings:
        offset = HALF_CROSS + plan.sidewalk
        for side in (-1, 1):
            for end in (-1, 1):
                for mesh, at, width in _row(rng, style, garden, plan.reach - inner):
                    x = side * (inner + at) if side * end > 0 else side * (inner + at + width)
                    heading = 0.0 if end > 0 else np.pi
                    parts.append(mesh.placed(x, center + end * offset, CURB - 0.02, heading))
            for mesh, at, width in _row(rng, style, garden, 2 * offset + 8):
                y = center - offset - 4 + (at + width if side > 0 else at)
                parts.append(mesh.placed(side * plan.reach, y, 0, -side * np.pi / 2))
    for mesh, at, _ in _row(rng, style, garden, 2 * line + 20):
        parts.append(mesh.placed(at - line - 10, plan.end + 12, 0))
    return parts


def _row(
    rng: np.random.Generator, style: StreetStyle, garden: Garden, length: float
) -> list[tuple[Mesh, float, float]]:
    """Lots side by side: (mesh in its local frame, offset along the row, width)."""
    row = []
    at = 0.0
    while length - at >= 5.0:
        width = float(rng.choice([6.0, 12.0, 12.0, 18.0]))
        left = length - at
        if left < width + 5.0:
            width = left
        kind = rng.random()
        if kind < style.gardens and width >= 9:
            mesh = _garden_lot(rng, style, garden, width)
        elif kind < style.gardens + 0.13:
            mesh = _green_lot(rng, style, garden, width)
        else:
            mesh = town_house(rng, style, width, corner=at == 0 or at + width >= length - 5.0)
        row.append((mesh, at, width))
        at += width
    return row


def _border(rng: np.random.Generator, style: StreetStyle, garden: Garden, length: float, high: bool) -> Mesh:
    """What separates a lot from the sidewalk."""
    kind = rng.random()
    if kind < 0.3:
        return garden_wall(rng, length, 1.9 if high else 0.9, pick(rng, style.brick))
    if kind < 0.55:
        return picket_fence(
            length, 1.2 if high else 0.95, (0.62, 0.61, 0.58) if rng.random() < 0.5 else (0.24, 0.16, 0.09)
        )
    if kind < 0.72:
        return board_fence(length, 1.8 if high else 1.1, (0.30, 0.19, 0.10))
    return vegetation.hedge(rng, length, 1.7 if high else 1.0, garden.leaf)


def _garden_lot(rng: np.random.Generator, style: StreetStyle, garden: Garden, width: float) -> Mesh:
    """A cottage behind a front garden."""
    gate = width * rng.uniform(0.3, 0.6)
    path = Surface("paving", style.paving, SIDEWALK)
    parts = [
        cottage(rng, style, width),
        rectangle(gate, 0, gate + 1.2, 5.0, 0.02, path),
        _border(rng, style, garden, gate - 0.1, high=False).placed(0, 0.1),
        _border(rng, style, garden, width - gate - 1.3, high=False).placed(gate + 1.3, 0.1),
    ]
    for _ in range(3):
        parts.append(garden.bush(rng, rng.uniform(0.8, width - 0.8), rng.uniform(3.4, 4.4), 0))
    if rng.random() < 0.6:
        parts.append(garden.any_tree(rng, width * rng.choice([0.15, 0.85]), 2.4, 0))
    return merge(parts)


def _green_lot(rng: np.random.Generator, style: StreetStyle, garden: Garden, width: float) -> Mesh:
    """A gap between houses: a wall or fence, with trees and bushes behind it."""
    parts = [_border(rng, style, garden, width, high=True).placed(0, 0.1)]
    for x in np.arange(1.5, width - 1, 3.4):
        parts.append(garden.any_tree(rng, x + rng.uniform(-0.6, 0.6), rng.uniform(2.6, 8.0), 0))
        parts.append(garden.bush(rng, x + rng.uniform(-1, 1), rng.uniform(1.6, 3.0), 0))
    return merge(parts)
