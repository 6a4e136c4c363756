"""Cars, vans, trucks, buses and trams: bodies lofted along the length, with wheels that can turn.

Local frame: +y forward, origin on the ground under the middle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seglift.datasets.streets.classes import BUS, CAR, TRAIN, TRUCK
from seglift.datasets.streets.mesh import Color, Floats, Mesh, Surface, merge
from seglift.datasets.streets.motion import Motion, Part, fixed, swing
from seglift.datasets.streets.primitives import block, disk, loft, quad, tube

RUBBER: Color = (0.018, 0.018, 0.02)
GLASS: Color = (0.018, 0.024, 0.03)


@dataclass(frozen=True)
class Profile:
    """Side view of a car body from rear to front.

    Attributes:
        size: length, width, height in metres.
        y: stations as shares of the length, 0 = rear; bottom, belt, roof: heights as shares of the height.
        rear_glass, front_glass: (first, last) station share of the panes; windows: side panes as ranges of shares.
        axles: shares of the length.
    """

    size: tuple[float, float, float]
    y: tuple[float, ...]
    bottom: tuple[float, ...]
    belt: tuple[float, ...]
    roof: tuple[float, ...]
    rear_glass: tuple[float, float]
    front_glass: tuple[float, float]
    windows: tuple[tuple[float, float], ...]
    axles: tuple[float, float] = (0.19, 0.80)


PROFILES: dict[str, Profile] = {
    "hatchback": Profile(
        (4.0, 1.76, 1.48),
        (0.0, 0.015, 0.06, 0.16, 0.3, 0.5, 0.6, 0.77, 0.93, 0.985, 1.0),
        (0.28, 0.19, 0.16, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.18, 0.26),
        (0.50, 0.58, 0.63, 0.65, 0.64, 0.63, 0.62, 0.62, 0.54, 0.46, 0.38),
        (0.50, 0.62, 0.72, 0.95, 1.0, 0.99, 0.94, 0.66, 0.57, 0.49, 0.40),
        (0.045, 0.15),
        (0.61, 0.76),
        ((0.15, 0.37), (0.39, 0.63)),
    ),
    "saloon": Profile(
        (4.65, 1.82, 1.43),
        (0.0, 0.012, 0.13, 0.18, 0.30, 0.42, 0.54, 0.60, 0.74, 0.93, 0.985, 1.0),
        (0.30, 0.20, 0.16, 0.16, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.18, 0.26),
        (0.55, 0.64, 0.66, 0.66, 0.65, 0.64, 0.63, 0.62, 0.62, 0.55, 0.47, 0.38),
        (0.55, 0.67, 0.70, 0.76, 0.97, 1.0, 0.98, 0.94, 0.66, 0.58, 0.50, 0.40),
        (0.175, 0.29),
        (0.61, 0.73),
        ((0.25, 0.42), (0.435, 0.62)),
    ),
    "estate": Profile(
        (4.45, 1.84, 1.66),
        (0.0, 0.015, 0.05, 0.12, 0.3, 0.5, 0.58, 0.73, 0.93, 0.985, 1.0),
        (0.30, 0.20, 0.18, 0.17, 0.17, 0.17, 0.17, 0.17, 0.17, 0.2, 0.28),
        (0.52, 0.60, 0.63, 0.64, 0.64, 0.63, 0.62, 0.62, 0.58, 0.50, 0.42),
        (0.52, 0.64, 0.72, 0.96, 1.0, 0.99, 0.95, 0.67, 0.61, 0.54, 0.44),
        (0.04, 0.115),
        (0.59, 0.72),
        ((0.11, 0.26), (0.28, 0.42), (0.435, 0.61)),
    ),
    "van": Profile(
        (5.1, 1.95, 2.15),
        (0.0, 0.01, 0.03, 0.1, 0.4, 0.66, 0.72, 0.86, 0.96, 0.99, 1.0),
        (0.2, 0.15, 0.14, 0.13, 0.13, 0.13, 0.13, 0.13, 0.13, 0.16, 0.22),
        (0.50, 0.55, 0.56, 0.56, 0.56, 0.56, 0.56, 0.54, 0.46, 0.40, 0.34),
        (0.50, 0.88, 0.96, 0.99, 1.0, 0.99, 0.95, 0.57, 0.49, 0.43, 0.36),
        (0.005, 0.028),
        (0.73, 0.85),
        ((0.63, 0.77),),
        (0.18, 0.83),
    ),
}


def _section(profile: Profile, share: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """At shares of the length: y, heights of bottom, belt and roof, half widths of belt and roof, all in metres."""
    length, width, height = profile.size
    bottom, belt, roof = (
        np.interp(share, profile.y, line) * height for line in (profile.bottom, profile.belt, profile.roof)
    )
    ends = np.minimum(np.minimum(share, 1 - share) / 0.08, 1.0)
    wide = width / 2 * (0.84 + 0.16 * np.sqrt(ends))
    cabin = np.clip((roof - belt) / (0.36 * height), 0, 1)
    return (share - 0.5) * length, bottom, belt, roof, wide, wide * (0.97 - 0.20 * cabin)


def _shell(profile: Profile, paint: Surface) -> Mesh:
    y, bottom, belt, roof, wide, narrow = _section(profile, np.array(profile.y))
    crown = roof + 0.035 * np.clip(roof / roof.max(), 0, 1)
    half = [
        (0.0 * y, bottom),
        (0.9 * wide, bottom),
        (0.985 * wide, bottom + 0.35 * (belt - bottom)),
        (wide, 0.5 * (bottom + belt)),
    ]
    half += [(0.985 * wide, belt), (narrow, roof), (0.6 * narrow, crown)]
    left = [(-x, z) for x, z in half[1:]][::-1]
    ring = [*half, *left]
    rings = np.stack([np.stack([x, y, z], axis=1) for x, z in ring], axis=1)
    parts = [loft(rings[:, ::-1], paint).smoothed(0.75)]
    for end, order in ((rings[0], 1), (rings[-1], -1)):
        parts.append(loft(np.stack([end, np.broadcast_to(end.mean(axis=0), end.shape)])[:, ::order], paint))
    return merge(parts)


def _panes(profile: Profile, label: int) -> Mesh:
    pane = Surface("plain", GLASS, label, gloss=0.32)
    parts = []
    for first, last in profile.windows:
        y, _, belt, roof, wide, narrow = _section(profile, np.linspace(first, last, 7))
        for side in (-1, 1):
            edge = []
            for share in (0.10, 0.86):
                x = 0.985 * wide + (narrow - 0.985 * wide) * share + 0.008
                edge.append(np.stack([side * x, y, belt + (roof - belt) * share], axis=1))
            parts.append(loft(np.stack(edge if side > 0 else edge[::-1]), pane, closed=False))
    for (first, last), lift in ((profile.rear_glass, 0.012), (profile.front_glass, 0.012)):
        y, _, _, roof, _, narrow = _section(profile, np.linspace(first, last, 5))
        shift = lift if first > 0.5 else -lift
        columns = []
        for share in (-0.92, -0.6, 0.6, 0.92):
            bow = 0.035 * np.clip(roof / profile.size[2], 0, 1) * (1 if abs(share) < 0.8 else 0.2)
            columns.append(np.stack([share * narrow, y + shift, roof + bow + lift], axis=1))
        parts.append(loft(np.stack(columns, axis=1), pane, closed=False))
    return merge(parts)


def _details(profile: Profile, paint: Surface, label: int) -> Mesh:
    length, width, height = profile.size
    lamp = Surface("plain", (0.85, 0.86, 0.85), label, gloss=0.2, glow=0.25)
    red = Surface("plain", (0.55, 0.02, 0.015), label, glow=0.5)
    dark, plate = Surface("plain", (0.02, 0.02, 0.022), label), Surface("plain", (0.8, 0.8, 0.76), label)
    front, rear, w = length / 2, -length / 2, width / 2
    low, nose = 0.30 * height, float(np.interp(0.97, profile.y, profile.belt)) * height
    parts = []
    for side in (-1, 1):
        parts.append(block((side * w * 0.70, front - 0.10, nose - 0.07), (0.34, 0.20, 0.13), lamp))
        parts.append(block((side * w * 0.78, rear + 0.06, 0.52 * height), (0.22, 0.14, 0.20), red))
        mirror = float(np.interp(profile.front_glass[1] - 0.05, profile.y, profile.belt)) * height + 0.08
        parts.append(
            block((side * (w + 0.09), (profile.front_glass[1] - 0.56) * length, mirror), (0.17, 0.09, 0.13), paint)
        )
    parts += [
        block((0, front - 0.02, low + 0.02), (width * 0.55, 0.06, 0.15), dark),
        block((0, rear + 0.03, 0.24 * height), (width * 0.7, 0.08, 0.10), dark),
        block((0, rear + 0.005, 0.40 * height), (0.5, 0.03, 0.11), plate),
        block((0, front + 0.012, low - 0.03), (0.5, 0.03, 0.11), plate),
    ]
    return merge(parts)


def _wheel(radius: float, width: float, label: int) -> Mesh:
    """A wheel around the x axis at the origin."""
    tyre = Surface("plain", RUBBER, label)
    face = Surface("wheel", (1, 1, 1), label)
    tread = tube([[-width / 2, 0, 0], [width / 2, 0, 0]], radius, tyre, 16, caps=False)
    scale = 0.33 / radius
    rims = []
    for side in (-1, 1):
        rim = disk((side * width / 2, 0, 0), (side, 0, 0), radius, face, 16)
        rims.append(replace(rim, uv=rim.uv * np.float32(scale)))
    return merge([tread, *rims])


def _on_wheels(
    body: Mesh, axles: list[float], half_width: float, radius: float, label: int, speed: float, turn: bool
) -> list[Part]:
    parts = [Part(body, fixed(swing(0, 0, 0, 0)))]
    wheel = _wheel(radius, 0.22 if radius < 0.4 else 0.3, label)
    for y in axles:
        for side in (-1, 1):
            parts.append(Part(wheel, _rolling(side * (half_width - 0.10), y, radius, speed if turn else 0.0)))
    return parts


def _rolling(x: float, y: float, radius: float, speed: float) -> Motion:
    return lambda time: swing(-speed * time / radius, x, y, radius)


def car(rng: np.random.Generator, colors: tuple[Color, ...], speed: float = 0.0, kind: str | None = None) -> list[Part]:
    """A car or van; its wheels turn at ``speed`` in metres per second."""
    name = kind or str(rng.choice(list(PROFILES), p=[0.36, 0.26, 0.28, 0.10]))
    profile = PROFILES[name]
    color = colors[int(rng.integers(len(colors)))] if name != "van" or rng.random() < 0.4 else (0.74, 0.74, 0.73)
    paint = Surface("plain", color, CAR, gloss=0.13)
    length, width, _ = profile.size
    radius = 0.32 if name != "van" else 0.35
    parts = [_shell(profile, paint), _panes(profile, CAR), _details(profile, paint, CAR)]
    arch = Surface("plain", (0.012, 0.012, 0.013), CAR)
    axles = [(share - 0.5) * length for share in profile.axles]
    for y in axles:
        for side in (-1, 1):
            parts.append(disk((side * (width / 2 + 0.004), y, radius + 0.06), (side, 0, 0), radius * 1.16, arch, 20))
    return _on_wheels(merge(parts), axles, width / 2 + 0.012, radius, CAR, speed, speed != 0)


def truck(rng: np.random.Generator, colors: tuple[Color, ...], speed: float = 0.0) -> list[Part]:
    """A box truck, 7.2 m long."""
    paint = Surface("plain", colors[int(rng.integers(len(colors)))], TRUCK, gloss=0.1)
    cargo = Surface("plain", (0.72, 0.71, 0.68), TRUCK)
    dark, pane = Surface("plain", (0.02, 0.02, 0.02), TRUCK), Surface("plain", GLASS, TRUCK, gloss=0.32)
    stripe = Surface("plain", colors[int(rng.integers(len(colors)))], TRUCK)
    cab = [(1.75, 0.5, 2.6), (3.0, 0.5, 2.65), (3.35, 0.5, 2.35), (3.6, 0.45, 1.5)]
    rings = [[[-w, y, low], [w, y, low], [w, y, high], [-w, y, high]] for y, low, high in cab for w in (1.12,)]
    front = quad([rings[-1][i] for i in (1, 0, 3, 2)], paint)
    screen = [[1.0, 3.375, 2.28], [-1.0, 3.375, 2.28], [-1.0, 3.61, 1.52], [1.0, 3.61, 1.52]]
    parts = [
        loft(np.array(rings)[:, ::-1], paint).smoothed(0.4),
        front,
        quad(screen, pane),
        block((0, -1.0, 2.0), (2.4, 5.2, 2.5), cargo),
        block((0, -1.0, 1.25), (2.42, 5.22, 0.25), stripe),
        block((0, -0.2, 0.62), (1.0, 6.4, 0.25), dark),
        block((0, 3.6, 0.62), (2.2, 0.12, 0.35), dark),
    ]
    for side in (-1, 1):
        parts.append(block((side * 1.125, 2.75, 1.95), (0.02, 0.95, 0.65), pane))
        parts.append(block((side * 1.3, 3.2, 1.9), (0.2, 0.1, 0.42), dark))
        parts.append(
            block((side * 0.8, 3.62, 0.95), (0.35, 0.06, 0.2), Surface("plain", (0.85, 0.85, 0.84), TRUCK, glow=0.3))
        )
        parts.append(
            block((side * 0.95, -3.58, 0.75), (0.3, 0.06, 0.16), Surface("plain", (0.5, 0.02, 0.02), TRUCK, glow=0.4))
        )
    return _on_wheels(merge(parts), [2.6, -2.2], 1.16, 0.46, TRUCK, speed, speed != 0)


def bus(rng: np.random.Generator, colors: tuple[Color, ...], speed: float = 0.0, label: int = BUS) -> list[Part]:
    """A city bus 11.5 m long, or with ``label`` TRAIN a tram of two such cars."""
    color = colors[int(rng.integers(len(colors)))]
    cars = 2 if label == TRAIN else 1
    length, height, half = 11.5, 3.05, 1.27
    parts: list[Mesh] = []
    axles: list[float] = []
    for index in range(cars):
        y0 = (index - (cars - 1) / 2) * (length + 0.35)
        parts.append(_coach(color, label, length, height, half, y0))
        axles += [y0 - 3.4, y0 + 3.2]
    if cars > 1:
        parts.append(block((0, 0, 1.7), (2.2, 0.6, 2.4), Surface("plain", (0.05, 0.05, 0.05), label)))
        parts.append(
            tube(
                [[0, -2, height], [0, -1.2, height + 0.9], [0, -2, height + 1.5]],
                0.04,
                Surface("plain", RUBBER, label),
                6,
            )
        )
    return _on_wheels(merge(parts), axles, half + 0.01, 0.46, label, speed, speed != 0)


def _coach(color: Color, label: int, length: float, height: float, half: float, y0: float) -> Mesh:
    paint = Surface("plain", color, label, gloss=0.12)
    light, pane = Surface("plain", (0.7, 0.7, 0.68), label), Surface("plain", GLASS, label, gloss=0.32)
    shape = [(-0.5, 0.93), (-0.494, 0.98), (-0.48, 1.0), (0.48, 1.0), (0.494, 0.98), (0.5, 0.93)]
    outline = np.array([[-1, 0.30], [1, 0.30], [1, 2.75], [0.9, 3.0], [0, height], [-0.9, 3.0], [-1, 2.75]])
    rings = []
    for share, scale in shape:
        ring = np.empty((len(outline), 3))
        ring[:, 0], ring[:, 1], ring[:, 2] = outline[:, 0] * half * scale, share * length + y0, outline[:, 1]
        rings.append(ring)
    skin = loft(np.array(rings)[:, ::-1], paint).smoothed(0.5)
    ends = [
        loft(np.stack([ring, np.broadcast_to(ring.mean(0), ring.shape)])[:, ::o], paint)
        for ring, o in ((rings[0], 1), (rings[-1], -1))
    ]
    parts = [skin, *ends]
    for side in (-1, 1):
        x = side * (half + 0.006)
        for y in np.arange(-4.9, 4.6, 1.55):
            parts.append(block((x, y0 + y + 0.3, 1.95), (0.012, 1.40, 1.1), pane))
        for y in (-2.4, 2.0, 4.9):
            if side > 0:
                parts.append(block((x + 0.004, y0 + y, 1.45), (0.012, 1.1, 2.1), pane))
        parts.append(block((x, y0, 0.75), (0.01, length * 0.95, 0.16), light))
        parts.append(
            block(
                (side * 0.95, y0 + length / 2 + 0.01, 0.8),
                (0.32, 0.06, 0.2),
                Surface("plain", (0.85, 0.85, 0.8), label, glow=0.4),
            )
        )
        parts.append(
            block(
                (side * 1.0, y0 - length / 2 - 0.01, 0.95),
                (0.2, 0.06, 0.4),
                Surface("plain", (0.5, 0.02, 0.02), label, glow=0.4),
            )
        )
    parts.append(block((0, y0 + length / 2 + 0.004, 1.75), (2.1, 0.02, 1.35), pane))
    parts.append(block((0, y0 - length / 2 - 0.004, 2.0), (1.8, 0.02, 0.9), pane))
    board = Surface("plain", (0.9, 0.55, 0.08), label, glow=0.8)
    parts.append(block((0, y0 + length / 2 + 0.006, 2.62), (1.3, 0.02, 0.22), board))
    return merge(parts)
