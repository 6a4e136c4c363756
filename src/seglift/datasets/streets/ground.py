"""Roads, markings, sidewalks with rounded corners and curbs, and the ground of the lots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seglift.datasets.streets.classes import ROAD, SIDEWALK, TERRAIN
from seglift.datasets.streets.mesh import Mesh, Surface, merge, scaled
from seglift.datasets.streets.plan import HALF_CROSS, HALF_ROAD, LANE, Plan
from seglift.datasets.streets.primitives import disk, polygon, quad, rectangle, wall
from seglift.datasets.streets.styles import StreetStyle

CURB = 0.14
CURB_WIDTH = 0.16
CORNER = 2.6
PAINT_HEIGHT = 0.004
ARROW_LANE = 1.6
ROAD_PAINT = Surface("asphalt", (0.62, 0.62, 0.60), ROAD)


def ground(rng: np.random.Generator, style: StreetStyle, plan: Plan) -> Mesh:
    """Everything flat: one mesh."""
    asphalt = Surface("asphalt", style.asphalt, ROAD)
    parts = [rectangle(-HALF_ROAD, plan.start, HALF_ROAD, plan.end + 12, 0, asphalt)]
    for center in plan.crossings:
        for side in (-1, 1):
            near, far = sorted((side * HALF_ROAD, side * plan.reach))
            parts.append(rectangle(near, center - HALF_CROSS, far, center + HALF_CROSS, 0, asphalt))
            low, high = sorted((side * HALF_ROAD, side * (HALF_ROAD + CORNER)))
            for end in (-1, 1):
                y0, y1 = sorted((center + end * HALF_CROSS, center + end * (HALF_CROSS + CORNER)))
                parts.append(rectangle(low, y0, high, y1, -0.002, asphalt))
        parts += _crossing_paint(plan, center)
    parts += [_block(style, plan, index, side) for index in range(len(plan.blocks())) for side in (-1, 1)]
    parts += _lane_paint(plan)
    parts += _wear(rng, style, plan)
    return merge(parts)


def _block(style: StreetStyle, plan: Plan, index: int, side: int) -> Mesh:
    """Sidewalks and lot ground of one side of one block, built for the right side and mirrored for the left one."""
    y0, y1 = plan.blocks()[index]
    crossed = (index > 0, index < len(plan.crossings))
    slabs = Surface("paving", style.paving, SIDEWALK)
    stone = Surface("stone", (0.50, 0.49, 0.47), SIDEWALK)
    lawn = Surface("grass", style.grass, TERRAIN)
    line, far, width = plan.building_line, plan.reach, plan.sidewalk
    inner0, inner1 = y0 + width * crossed[0], y1 - width * crossed[1]
    pieces = [
        _strip((HALF_ROAD, inner0), (HALF_ROAD, inner1), width, slabs, stone),
        rectangle(line, inner0, far, inner1, CURB - 0.02, lawn),
    ]
    if crossed[0]:
        pieces += [_strip((far, y0), (line, y0), width, slabs, stone), _corner(HALF_ROAD, y0, 1, width, slabs, stone)]
    if crossed[1]:
        pieces += [
            _strip((line, y1), (far, y1), width, slabs, stone, -1),
            _corner(HALF_ROAD, y1, -1, width, slabs, stone),
        ]
    block = merge(pieces)
    return block if side > 0 else _mirrored(block)


def _mirrored(mesh: Mesh) -> Mesh:
    flip = np.array([-1, 1, 1], np.float32)
    corners, normals = mesh.corners[:, ::-1] * flip, mesh.normals[:, ::-1] * flip
    return replace(mesh, corners=corners, normals=normals, uv=mesh.uv[:, ::-1])


def _strip(
    start: tuple[float, float], end: tuple[float, float], width: float, slabs: Surface, stone: Surface, turn: int = 1
) -> Mesh:
    """A sidewalk with its curb from ``start`` to ``end``, slabs towards +x or, along a cross street, ``turn`` * y."""
    (xa, ya), (xb, yb) = start, end
    if xa == xb:
        return merge(
            [
                rectangle(xa, ya, xa + CURB_WIDTH, yb, CURB, stone),
                rectangle(xa + CURB_WIDTH, ya, xa + width, yb, CURB, slabs),
                wall((xa, yb), (xa, ya), 0, CURB, stone),
            ]
        )
    low, high = min(xa, xb), max(xa, xb)
    rows = [sorted((ya, ya + turn * CURB_WIDTH)), sorted((ya + turn * CURB_WIDTH, ya + turn * width))]
    return merge(
        [
            rectangle(low, rows[0][0], high, rows[0][1], CURB, stone),
            rectangle(low, rows[1][0], high, rows[1][1], CURB, slabs),
            wall((low, ya), (high, ya), 0, CURB, stone) if turn > 0 else wall((high, ya), (low, ya), 0, CURB, stone),
        ]
    )


def _corner(x: float, y: float, turn: int, width: float, slabs: Surface, stone: Surface) -> Mesh:
    """The rounded sidewalk corner at (x, y); the sidewalks go on towards +x and towards ``turn`` * y."""
    angle = np.linspace(0, np.pi / 2, 9)
    center = np.array([x + CORNER, y + turn * CORNER])

    def arc(radius: float) -> np.ndarray:
        return center + radius * np.stack([-np.cos(angle), -turn * np.sin(angle)], axis=1)

    outer, inner = arc(CORNER), arc(CORNER - CURB_WIDTH)
    rim = [[x + width, y + turn * CURB_WIDTH], [x + width, y + turn * width], [x + CURB_WIDTH, y + turn * width]]
    border = np.concatenate([inner, np.array(rim)])
    flat = np.concatenate([border, np.full((len(border), 1), CURB)], axis=1)
    parts = [polygon(flat if turn > 0 else flat[::-1], slabs)]
    for a, b, c, d in zip(outer[:-1], outer[1:], inner[1:], inner[:-1], strict=True):
        top = [[*a, CURB], [*b, CURB], [*c, CURB], [*d, CURB]]
        parts.append(quad(top if turn > 0 else top[::-1], stone))
        parts.append(wall(tuple(a), tuple(b), 0, CURB, stone) if turn > 0 else wall(tuple(b), tuple(a), 0, CURB, stone))
    for x0, y0, x1, y1 in (
        (x, y + turn * CORNER, x + CURB_WIDTH, y + turn * width),
        (x + CORNER, y, x + width, y + turn * CURB_WIDTH),
    ):
        low, high = sorted((y0, y1))
        parts.append(rectangle(x0, low, x1, high, CURB, stone))
    parts.append(wall((x, y + turn * width), (x, y + turn * CORNER), 0, CURB, stone))
    parts.append(wall((x + CORNER, y), (x + width, y), 0, CURB, stone))
    return merge(parts)


def _paint(x0: float, y0: float, x1: float, y1: float) -> Mesh:
    return rectangle(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), PAINT_HEIGHT, ROAD_PAINT)


def _crossing_paint(plan: Plan, center: float) -> list[Mesh]:
    """Zebra stripes on all four arms and stop lines before them."""
    parts = []
    for end in (-1, 1):
        near, far = center + end * (HALF_CROSS + 0.7), center + end * (HALF_CROSS + 3.9)
        parts += [_paint(x, near, x + 0.5, far) for x in np.arange(-HALF_ROAD + 0.4, HALF_ROAD - 0.5, 1.0)]
        stop = center + end * (HALF_CROSS + 5.0)
        parts.append(_paint(-end * 0.15, stop, -end * (LANE - 0.1), stop + end * 0.4))
        parts.append(_arrow(-end * ARROW_LANE, stop + end * 6.5, -end))
        near, far = end * (HALF_ROAD + 0.7), end * (HALF_ROAD + 3.7)
        parts += [
            _paint(near, center + y, far, center + y + 0.5) for y in np.arange(-HALF_CROSS + 0.4, HALF_CROSS - 0.5, 1.0)
        ]
        stop = end * (HALF_ROAD + 4.8)
        parts.append(_paint(stop, center + end * 0.15, stop + end * 0.4, center + end * (HALF_CROSS - 0.3)))
        parts += [
            _paint(end * x, center - 0.06, end * (x + 3), center + 0.06)
            for x in np.arange(HALF_ROAD + 6, plan.reach - 3, 7.0)
        ]
    return parts


def _arrow(x: float, y: float, heading: int) -> Mesh:
    z = PAINT_HEIGHT
    head = [
        [x - heading * 0.35, y + heading * 1.6, z],
        [x + heading * 0.35, y + heading * 1.6, z],
        [x, y + heading * 2.9, z],
    ]
    return merge([_paint(x - 0.09, y - heading * 1.6, x + 0.09, y + heading * 1.6), polygon(head, ROAD_PAINT)])


def _lane_paint(plan: Plan) -> list[Mesh]:
    """Centre dashes, the edge of the parking strip and its bays."""
    parts = []
    for index, (y0, y1) in enumerate(plan.blocks()):
        low = y0 + (6.0 if index > 0 else 0.0)
        high = y1 - (6.0 if index < len(plan.crossings) else 0.0)
        parts += [_paint(-0.06, y, 0.06, min(y + 3, high)) for y in np.arange(low, high - 1, 7.0)]
        for side in (-1, 1):
            edge = side * (LANE + 0.05)
            parts.append(_paint(edge - 0.05, low + 3, edge + 0.05, high - 3))
            parts += [
                _paint(edge, y - 0.05, side * (HALF_ROAD - 0.1), y + 0.05) for y in np.arange(low + 3, high - 3, 6.2)
            ]
    return parts


def _wear(rng: np.random.Generator, style: StreetStyle, plan: Plan) -> list[Mesh]:
    """Repaired patches, tyre tracks and manhole covers."""
    parts = []
    iron = Surface("stone", (0.09, 0.09, 0.09), ROAD)
    for y in np.arange(plan.start, plan.end, 9.0):
        shade = rng.uniform(0.72, 1.22)
        patch = Surface("asphalt", scaled(style.asphalt, shade), ROAD)
        x0, y0 = rng.uniform(-5.2, 3.5), y + rng.uniform(0, 5)
        parts.append(rectangle(x0, y0, x0 + rng.uniform(0.8, 2.2), y0 + rng.uniform(1.2, 5.0), 0.0015, patch))
        if rng.random() < 0.45:
            parts.append(disk((rng.uniform(-4.5, 4.5), y + rng.uniform(0, 8), 0.006), (0, 0, 1), 0.32, iron, 16))
    return parts
