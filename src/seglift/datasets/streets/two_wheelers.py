"""Bicycles and motorcycles, alone or with a rider. Local frame: +y forward, wheels on z = 0."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.classes import BICYCLE, MOTORCYCLE
from seglift.datasets.streets.mesh import Color, Mesh, Surface, merge
from seglift.datasets.streets.motion import Motion, Part, fixed, swing
from seglift.datasets.streets.people import dress, rider
from seglift.datasets.streets.primitives import ball, block, disk, loft, tube


def _hoop(radius: float, thickness: float, surface: Surface, spokes: int) -> Mesh:
    """A tyre around the x axis with thin spokes."""
    angle = np.linspace(0, 2 * np.pi, 19)
    profile = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]]) * thickness
    rings = np.empty((19, 4, 3))
    rings[..., 0] = profile[:, 0]
    rings[..., 1] = (radius - thickness + profile[:, 1]) * np.cos(angle)[:, None]
    rings[..., 2] = (radius - thickness + profile[:, 1]) * np.sin(angle)[:, None]
    steel = Surface("plain", (0.35, 0.36, 0.37), surface.label)
    parts = [loft(rings, surface).smoothed(1.8), tube([[-0.04, 0, 0], [0.04, 0, 0]], 0.035, steel, 6)]
    for i in range(spokes):
        turn = 2 * np.pi * i / spokes
        end = [0, (radius - thickness) * np.cos(turn), (radius - thickness) * np.sin(turn)]
        parts.append(tube([[0, 0, 0], end], 0.006, steel, 3, caps=False))
    return merge(parts)


def _rolling(y: float, radius: float, speed: float) -> Motion:
    return lambda time: swing(-speed * time / radius, 0, y, radius)


def bicycle(rng: np.random.Generator, colors: tuple[Color, ...], speed: float = 0.0) -> list[Part]:
    """A bicycle whose wheels turn at ``speed`` metres per second."""
    paint = Surface("plain", colors[int(rng.integers(len(colors)))], BICYCLE, gloss=0.1)
    black = Surface("plain", (0.02, 0.02, 0.02), BICYCLE)
    crank, seat, head = [0, -0.08, 0.29], [0, -0.25, 0.80], [0, 0.36, 0.82]
    rear, front = [0, -0.52, 0.34], [0, 0.53, 0.34]
    frame = [
        (crank, seat),
        (crank, head),
        ([0, -0.22, 0.74], [0, 0.35, 0.78]),
        (crank, rear),
        (rear, [0, -0.22, 0.72]),
        (head, front),
    ]
    tubes = [tube(pair, 0.021, paint, 6, caps=False) for pair in frame]
    tubes += [
        tube([seat, [0, -0.27, 0.93]], 0.016, black, 6),
        ball((0, -0.26, 0.95), (0.09, 0.14, 0.04), black),
        tube([head, [0, 0.33, 1.02]], 0.018, black, 6),
        tube([[-0.28, 0.26, 1.04], [0, 0.34, 1.02], [0.28, 0.26, 1.04]], 0.018, black, 6),
        disk((0.045, *crank[1:]), (1, 0, 0), 0.095, Surface("plain", (0.3, 0.3, 0.31), BICYCLE), 12),
        tube([[-0.17, crank[1], crank[2]], [0.17, crank[1], crank[2]]], 0.016, black, 6),
    ]
    wheel = _hoop(0.34, 0.024, Surface("plain", (0.02, 0.02, 0.02), BICYCLE), 12)
    wheels = [Part(wheel, _rolling(y, 0.34, speed)) for y in (-0.52, 0.53)]
    return [Part(merge(tubes), fixed(swing(0, 0, 0, 0))), *wheels]


def cyclist(
    rng: np.random.Generator, colors: tuple[Color, ...], palette: tuple[Color, ...], speed: float
) -> list[Part]:
    """A bicycle and the person who pedals it."""
    cadence = 0.0 if speed == 0 else 0.5 + 0.12 * speed
    return bicycle(rng, colors, speed) + rider(dress(rng, palette), 0.98, (-0.08, 0.29), (0.26, 1.05), cadence)


def motorcycle(rng: np.random.Generator, colors: tuple[Color, ...], speed: float = 0.0) -> list[Part]:
    """A motorcycle whose wheels turn at ``speed`` metres per second."""
    paint = Surface("plain", colors[int(rng.integers(len(colors)))], MOTORCYCLE, gloss=0.2)
    black, steel = (
        Surface("plain", (0.02, 0.02, 0.02), MOTORCYCLE),
        Surface("plain", (0.4, 0.4, 0.42), MOTORCYCLE, gloss=0.2),
    )
    body = [
        ball((0, 0.16, 0.82), (0.16, 0.32, 0.17), paint, 2),
        ball((0, -0.36, 0.80), (0.15, 0.38, 0.08), black, 1),
        ball((0, -0.66, 0.82), (0.11, 0.2, 0.09), paint, 1),
        block((0, 0.02, 0.46), (0.26, 0.46, 0.34), steel),
        tube([[0.1, 0.72, 0.32], [0.08, 0.46, 0.98]], 0.028, steel, 6),
        tube([[-0.1, 0.72, 0.32], [-0.08, 0.46, 0.98]], 0.028, steel, 6),
        tube([[-0.34, 0.34, 1.06], [0, 0.44, 1.02], [0.34, 0.34, 1.06]], 0.02, black, 6),
        ball((0, 0.55, 0.88), (0.1, 0.08, 0.1), Surface("plain", (0.85, 0.85, 0.82), MOTORCYCLE, glow=0.3), 1),
        tube([[0.17, 0.1, 0.3], [0.19, -0.75, 0.42]], [0.03, 0.05], steel, 8),
        tube([[0.08, -0.1, 0.4], [0.1, -0.62, 0.32]], 0.03, black, 6),
        ball((0, -0.83, 0.78), (0.06, 0.03, 0.04), Surface("plain", (0.5, 0.02, 0.02), MOTORCYCLE, glow=0.4), 0),
    ]
    wheel = _hoop(0.32, 0.065, Surface("plain", (0.02, 0.02, 0.02), MOTORCYCLE), 6)
    wheels = [Part(wheel, _rolling(y, 0.32, speed)) for y in (-0.62, 0.72)]
    return [Part(merge(body), fixed(swing(0, 0, 0, 0))), *wheels]


def motorcyclist(
    rng: np.random.Generator, colors: tuple[Color, ...], palette: tuple[Color, ...], speed: float
) -> list[Part]:
    """A motorcycle and its rider, feet on the pegs."""
    return motorcycle(rng, colors, speed) + rider(dress(rng, palette), 0.92, (0.0, 0.36), (0.3, 1.08), 0.0)
