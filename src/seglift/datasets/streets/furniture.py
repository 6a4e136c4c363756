"""Street furniture at the origin, its face along -y: lamps, signs, traffic lights, bollards, bins, benches."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.classes import POLE, STATIC, TRAFFIC_LIGHT, TRAFFIC_SIGN
from seglift.datasets.streets.mesh import Mesh, Surface, merge, triangles
from seglift.datasets.streets.primitives import block, disk, tube, wall

STEEL = Surface("plain", (0.30, 0.31, 0.32), POLE, gloss=0.05)
BACK = Surface("plain", (0.33, 0.33, 0.34), TRAFFIC_SIGN)
ROUND_SIGNS = ("sign_limit", "sign_no_entry")
LAMPS = {"red": (0.9, 0.05, 0.03), "yellow": (0.95, 0.6, 0.05), "green": (0.05, 0.85, 0.35)}


def street_lamp() -> Mesh:
    """A 7.5 m mast whose arm reaches 2 m along -y over the road."""
    mast = [[0.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 0.0, 7.0], [0, -0.35, 7.4], [0, -1.1, 7.6], [0, -2.0, 7.65]]
    head = block((0, -2.2, 7.62), (0.28, 0.75, 0.14), Surface("plain", (0.4, 0.41, 0.42), POLE))
    foot = tube([[0, 0, 0], [0, 0, 0.9]], 0.13, STEEL, 8)
    return merge([tube(mast, [0.10, 0.085, 0.065, 0.055, 0.05, 0.045], STEEL, 8), foot, head])


def sign(kind: str) -> Mesh:
    """A traffic sign ``kind`` (a picture of ``signs``) on a pole, its face at 2.4 m looking along -y."""
    face = Surface(kind, (1, 1, 1), TRAFFIC_SIGN)
    z, y = 2.45, -0.06
    pole = tube([[0, 0, 0], [0, 0, z + 0.35]], 0.035, STEEL, 8)
    if kind in ROUND_SIGNS:
        return merge(
            [pole, disk((0, y, z), (0, -1, 0), 0.35, face, 20), disk((0, y + 0.015, z), (0, 1, 0), 0.35, BACK, 20)]
        )
    if kind == "sign_give_way":
        front = np.array([[-0.43, 0.25], [0, -0.45], [0.43, 0.25]])
        points = np.stack([front[:, 0], np.full(3, y), front[:, 1] + z], axis=1)
        back = points[::-1] + np.array([0, 0.015, 0])
        return merge([pole, triangles(points, face, front), triangles(back, BACK)])
    half = (0.62, 0.36) if kind == "sign_direction" else (0.34, 0.34)
    corners = np.array([[-half[0], -half[1]], [half[0], -half[1]], [half[0], half[1]], [-half[0], half[1]]])
    points = np.stack([corners[:, 0], np.full(4, y), corners[:, 1] + z], axis=1)
    index = [[0, 1, 2], [0, 2, 3]]
    back = points[index][:, ::-1] + np.array([0, 0.015, 0])
    return merge([pole, triangles(points[index], face, corners[index]), triangles(back, BACK)])


def traffic_light(state: str, arm: float = 0.0) -> Mesh:
    """A signal facing -y with the lamp ``state`` lit; with an ``arm`` [m] a second one hangs over the road (-x)."""
    parts = [tube([[0, 0, 0], [0, 0, 3.4 if arm == 0 else 5.6]], 0.075, STEEL, 8), _signal_head(0, -0.16, 2.75, state)]
    if arm:
        parts.append(tube([[0, 0, 5.4], [-arm * 0.5, 0, 5.55], [-arm, 0, 5.6]], 0.06, STEEL, 8))
        parts.append(_signal_head(-arm + 0.3, -0.16, 5.3, state))
    return merge(parts)


def _signal_head(x: float, y: float, z: float, state: str) -> Mesh:
    case = Surface("plain", (0.025, 0.028, 0.03), TRAFFIC_LIGHT)
    parts = [block((x, y, z), (0.30, 0.22, 0.92), case), block((x, y + 0.12, z), (0.5, 0.02, 1.12), case)]
    for index, (name, color) in enumerate(LAMPS.items()):
        height = z + 0.29 - 0.29 * index
        lit = name == state
        tint = color if lit else (color[0] * 0.12, color[1] * 0.12, color[2] * 0.12)
        lens = Surface("plain", tint, TRAFFIC_LIGHT, glow=2.2 if lit else 0.0)
        parts.append(disk((x, y - 0.125, height), (0, -1, 0), 0.105, lens, 14))
        parts.append(block((x, y - 0.18, height + 0.12), (0.24, 0.16, 0.02), case))
    return merge(parts)


def bollard() -> Mesh:
    """A waist-high post with a light band."""
    band = Surface("plain", (0.75, 0.72, 0.68), POLE)
    return merge([tube([[0, 0, 0], [0, 0, 0.9]], 0.06, STEEL, 8), tube([[0, 0, 0.7], [0, 0, 0.8]], 0.065, band, 8)])


def bin_() -> Mesh:
    """A litter bin on a post."""
    case = Surface("plain", (0.62, 0.28, 0.04), STATIC)
    return merge(
        [tube([[0, 0, 0.35], [0, 0, 1.0]], [0.2, 0.23], case, 12), tube([[0, 0.22, 0], [0, 0.22, 1.1]], 0.03, STEEL, 6)]
    )


def bench() -> Mesh:
    """A slatted bench 1.8 m long that looks along -y."""
    wood, iron = Surface("planks", (0.32, 0.2, 0.1), STATIC), Surface("plain", (0.06, 0.06, 0.06), STATIC)
    parts = [block((0, -0.2 + 0.14 * i, 0.46), (1.8, 0.11, 0.04), wood) for i in range(4)]
    parts += [block((0, 0.29, 0.62 + 0.14 * i), (1.8, 0.04, 0.11), wood) for i in range(3)]
    parts += [block((x, 0.05, 0.22), (0.06, 0.5, 0.44), iron) for x in (-0.75, 0.75)]
    return merge(parts)


def bus_stop() -> Mesh:
    """A glass shelter, open towards -y."""
    steel = Surface("plain", (0.25, 0.26, 0.27), STATIC)
    pane = Surface("plain", (0.16, 0.21, 0.22), STATIC, gloss=0.4)
    parts = [block((0, 0, 2.45), (3.8, 1.5, 0.1), steel), wall((-1.8, 0.65), (1.8, 0.65), 0.3, 2.3, pane)]
    parts += [block((x, 0.65, 1.2), (0.07, 0.07, 2.4), steel) for x in (-1.85, -0.6, 0.6, 1.85)]
    parts.append(block((0, 0.4, 0.5), (2.6, 0.35, 0.06), steel))
    return merge(parts)
