"""Houses. A lot's local frame: x along the street from 0 to its width, the front at y = 0 looking along -y."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.atlas import FRONT_METRES, GROUND_FLOOR_METRES
from seglift.datasets.streets.classes import BUILDING
from seglift.datasets.streets.facades import FRONTS
from seglift.datasets.streets.mesh import Color, Mesh, Surface, merge
from seglift.datasets.streets.primitives import block, box, polygon, quad, rectangle, wall
from seglift.datasets.streets.styles import StreetStyle

GROUND_HEIGHT = GROUND_FLOOR_METRES[1]
FLOOR_HEIGHT = FRONT_METRES[1] / 2
BAY = FRONT_METRES[0] / 2
DEPTH = 11.0


def pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    """One of the colours, slightly varied."""
    color = np.array(colors[int(rng.integers(len(colors)))]) * rng.uniform(0.88, 1.08)
    return (float(color[0]), float(color[1]), float(color[2]))


def town_house(rng: np.random.Generator, style: StreetStyle, width: float, corner: bool = False) -> Mesh:
    """A house in a closed row: shops or an entrance below, floors of windows, a cornice and a pitched or flat roof.

    At a ``corner`` its sides have windows too.
    """
    kind = str(rng.choice(list(FRONTS)))
    bricks = "brick" in kind
    tint = pick(rng, style.brick if bricks else style.plaster)
    side = Surface("brick" if bricks else "plaster", tint, BUILDING)
    floors = int(rng.integers(style.floors[0], style.floors[1] + 1))
    top = GROUND_HEIGHT + floors * FLOOR_HEIGHT
    tiles = max(1, round(width / FRONT_METRES[0]))
    ground = Surface(str(rng.choice(["shop_a", "shop_b", "entrance"])), tint, BUILDING)
    front = Surface(kind, tint, BUILDING)
    parts = [
        wall((0, 0), (width, 0), 0, GROUND_HEIGHT, ground, tiles * GROUND_FLOOR_METRES[0]),
        wall((0, 0), (width, 0), GROUND_HEIGHT, top, front, tiles * FRONT_METRES[0]),
        wall((width, 0), (width, DEPTH), 0, GROUND_HEIGHT, ground if corner else side, 2 * GROUND_FLOOR_METRES[0]),
        wall((0, DEPTH), (0, 0), 0, GROUND_HEIGHT, ground if corner else side, 2 * GROUND_FLOOR_METRES[0]),
        wall((width, 0), (width, DEPTH), GROUND_HEIGHT, top, front if corner else side, 2 * FRONT_METRES[0]),
        wall((0, DEPTH), (0, 0), GROUND_HEIGHT, top, front if corner else side, 2 * FRONT_METRES[0]),
        wall((width, DEPTH), (0, DEPTH), 0, top, side),
        _cornices(width, top),
    ]
    if ground.texture != "entrance" and rng.random() < 0.6:
        parts.append(_awning(rng, style, width))
    if kind == "front_office" or rng.random() < 0.25:
        parts.append(_flat_roof(width, top, side))
    else:
        parts.append(_pitched_roof(rng, style, width, top, side))
    if kind in ("front_plain", "front_banded") and rng.random() < 0.6:
        parts.append(_bay_window(rng, front, width, top))
    return merge(parts)


def _cornices(width: float, top: float) -> Mesh:
    trim = Surface("stone", (0.62, 0.60, 0.55), BUILDING)
    return merge(
        [
            block((width / 2, -0.10, GROUND_HEIGHT), (width, 0.22, 0.24), trim),
            block((width / 2, -0.16, top), (width + 0.1, 0.40, 0.30), trim),
        ]
    )


def _awning(rng: np.random.Generator, style: StreetStyle, width: float) -> Mesh:
    cloth = Surface("plain", pick(rng, style.cars), BUILDING)
    z0, z1, reach = 2.55, 3.05, 1.25
    points = [[0.3, -reach, z0], [width - 0.3, -reach, z0], [width - 0.3, -0.03, z1], [0.3, -0.03, z1]]
    flap = wall((0.3, -reach), (width - 0.3, -reach), z0 - 0.22, z0, cloth)
    return merge([quad(points, cloth), flap])


def _flat_roof(width: float, top: float, side: Surface) -> Mesh:
    return merge(
        [
            rectangle(0, 0, width, DEPTH, top, Surface("stone", (0.2, 0.2, 0.2), BUILDING)),
            wall((0, 0), (width, 0), top, top + 0.7, side),
            wall((width, 0), (width, DEPTH), top, top + 0.7, side),
            wall((0, DEPTH), (0, 0), top, top + 0.7, side),
            box(width * 0.3, 3, top, width * 0.6, 6, top + 2.2, side),
        ]
    )


def _pitched_roof(rng: np.random.Generator, style: StreetStyle, width: float, top: float, side: Surface) -> Mesh:
    rise = rng.uniform(2.4, 3.8)
    tiles = Surface("roof", pick(rng, style.roofs), BUILDING)
    half, over, z = DEPTH / 2, 0.35, top + 0.12
    slope = float(np.hypot(half + over, rise))
    uv = [[0.0, 0.0], [width, 0.0], [width, slope], [0.0, slope]]
    parts = [
        quad([[0, -over, z], [width, -over, z], [width, half, z + rise], [0, half, z + rise]], tiles, uv),
        quad([[width, DEPTH + over, z], [0, DEPTH + over, z], [0, half, z + rise], [width, half, z + rise]], tiles, uv),
        polygon([[0, DEPTH, top], [0, 0, top], [0, half, z + rise]], side),
        polygon([[width, 0, top], [width, DEPTH, top], [width, half, z + rise]], side),
    ]
    chimney = Surface("brick", (0.32, 0.16, 0.12), BUILDING)
    for x in rng.uniform(0.8, max(0.9, width - 1.2), 2):
        parts.append(box(x, half - 0.4, top + rise * 0.6, x + 0.6, half + 0.4, top + rise + 1.1, chimney))
    for x in np.arange(BAY * 0.7, width - BAY * 0.5, BAY * 1.4):
        parts.append(_dormer(float(x), z, rise, half, tiles))
    return merge(parts)


def _dormer(x: float, z: float, rise: float, half: float, tiles: Surface) -> Mesh:
    slope = rise / (half + 0.35)
    y0, y1, wide, high = 1.0, 3.2, 0.65, 1.25
    base = z + slope * (y0 + 0.35)
    pane = Surface("plain", (0.05, 0.065, 0.085), BUILDING, gloss=0.35)
    return merge(
        [
            box(
                x - wide,
                y0,
                base - 0.3,
                x + wide,
                y1,
                base + high,
                Surface("plaster", (0.6, 0.58, 0.53), BUILDING),
                tiles,
            ),
            wall((x - wide * 0.7, y0 - 0.02), (x + wide * 0.7, y0 - 0.02), base + 0.15, base + high * 0.85, pane),
            block((x, y0 + 1.0, base + high + 0.06), (2 * wide + 0.3, 2.4, 0.14), tiles),
        ]
    )


def _bay_window(rng: np.random.Generator, front: Surface, width: float, top: float) -> Mesh:
    tiles = max(1, round(width / FRONT_METRES[0]))
    bay = width / (2 * tiles)
    x0 = bay * int(rng.integers(2 * tiles))
    u0, reach = x0 / bay * BAY, 0.75
    z0, z1 = GROUND_HEIGHT + 0.1, top - 0.2
    uv = [[u0, 0], [u0 + BAY, 0], [u0 + BAY, z1 - z0], [u0, z1 - z0]]
    face = [[x0 + 0.3, -reach, z0], [x0 + bay - 0.3, -reach, z0], [x0 + bay - 0.3, -reach, z1], [x0 + 0.3, -reach, z1]]
    plain = Surface("plaster", front.tint, BUILDING)
    body = block((x0 + bay / 2, -reach / 2 + 0.01, (z0 + z1) / 2), (bay - 0.6, reach - 0.02, z1 - z0), plain)
    return merge([quad(face, front, uv), body])


def cottage(rng: np.random.Generator, style: StreetStyle, width: float) -> Mesh:
    """A detached house with a gable, set back behind a garden."""
    setback, depth = 5.0, 8.0
    span = min(width - 3.0, 9.0)
    x0 = (width - span) / 2
    bricks = rng.random() < 0.5
    tint = pick(rng, style.brick if bricks else style.plaster)
    side = Surface("brick" if bricks else "plaster", tint, BUILDING)
    front = Surface("front_brick" if bricks else "front_shutters", tint, BUILDING)
    low = Surface("entrance", tint, BUILDING)
    top, rise = GROUND_HEIGHT + FLOOR_HEIGHT, 3.0
    y1, ridge = setback + depth, x0 + span / 2
    tiles = Surface("roof", pick(rng, style.roofs), BUILDING)
    run = float(np.hypot(span / 2 + 0.4, rise))
    uv = [[0.0, 0.0], [depth + 0.8, 0.0], [depth + 0.8, run], [0.0, run]]
    over, drop = 0.4, 0.3
    left = [[x0 - over, y1 + over, top - drop], [x0 - over, setback - over, top - drop]]
    right = [[x0 + span + over, setback - over, top - drop], [x0 + span + over, y1 + over, top - drop]]
    crest = [[ridge, setback - over, top + rise], [ridge, y1 + over, top + rise]]
    return merge(
        [
            wall((x0, setback), (x0 + span, setback), 0, GROUND_HEIGHT, low, 6.0 * max(1, round(span / 6))),
            wall((x0, setback), (x0 + span, setback), GROUND_HEIGHT, top, front, 6.0 * max(1, round(span / 6))),
            polygon([[x0, setback, top], [x0 + span, setback, top], [ridge, setback, top + rise]], side),
            wall((x0 + span, setback), (x0 + span, y1), 0, top, front),
            wall((x0, y1), (x0, setback), 0, top, front),
            wall((x0 + span, y1), (x0, y1), 0, top, side),
            quad([*left, *crest], tiles, uv),
            quad([*right, crest[1], crest[0]], tiles, uv),
            box(ridge + 1, setback + 3, top + 1, ridge + 1.7, setback + 3.7, top + rise + 0.9, side),
        ]
    )
