"""Painters of ground, wall and plant textures.

A painter takes a generator and the grit (contrast of dirt and irregularity, 1 = real, 0 = clean) and returns a tile
float64 [SIZE, SIZE, 4] without seams: sRGB 0..1 and, as fourth channel, how much the surface's tint applies.
Row 0 is the top of the tile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.noise import tiling_noise

SIZE = 512
Tile = NDArray[np.float64]
Painter = Callable[[np.random.Generator, float], Tile]


@dataclass(frozen=True)
class Texture:
    """A painter and the size of its tile, (width, height) in metres."""

    paint: Painter
    metres: tuple[float, float]


def tinted(brightness: NDArray[np.float64]) -> Tile:
    """A tile [SIZE, SIZE, 4] of grey ``brightness`` [SIZE, SIZE] that is tinted everywhere."""
    clipped = np.clip(brightness, 0, 1)
    return np.stack([clipped, clipped, clipped, np.ones_like(clipped)], axis=2)


def plain(rng: np.random.Generator, grit: float) -> Tile:
    """Paint, cloth and metal: nearly even."""
    return tinted(0.96 + 0.015 * grit * tiling_noise(rng, SIZE, 1.0))


def asphalt(rng: np.random.Generator, grit: float) -> Tile:
    """Speckled, with darker repaired patches and fine cracks."""
    speckle = 0.035 * tiling_noise(rng, SIZE, 0.2, 40)
    patches = 0.05 * np.tanh(2 * tiling_noise(rng, SIZE, 1.6, 1, 12))
    cracks = np.exp(-((tiling_noise(rng, SIZE, 1.2, 2, 40) / 0.045) ** 2))
    gate = np.clip(tiling_noise(rng, SIZE, 2.0, 1, 6) - 0.6, 0, 1)
    return tinted(0.80 + grit * (speckle + patches - 0.22 * cracks * gate))


def paving(rng: np.random.Generator, grit: float) -> Tile:
    """Slabs in running bond, 6 rows of 4 to the tile."""
    slabs = _bond(rng, rows=6, columns=4, joint=4, spread=0.05)
    return tinted(
        slabs + 0.025 * grit * tiling_noise(rng, SIZE, 0.5, 8) + 0.03 * grit * tiling_noise(rng, SIZE, 1.5, 1, 10)
    )


def stone(rng: np.random.Generator, grit: float) -> Tile:
    """Granite of curbs and concrete of walls."""
    return tinted(0.88 + grit * (0.04 * tiling_noise(rng, SIZE, 0.3, 30) + 0.05 * tiling_noise(rng, SIZE, 1.5, 1, 20)))


def plaster(rng: np.random.Generator, grit: float) -> Tile:
    """Painted render with faint stains that run down."""
    stains = _smear(tiling_noise(rng, SIZE, 1.5, 2, 40))
    return tinted(0.93 + grit * (0.02 * tiling_noise(rng, SIZE, 0.4, 20) + 0.03 * stains))


def brick(rng: np.random.Generator, grit: float) -> Tile:
    """A garden wall's bricks in running bond with light joints."""
    return _bricks(rng, grit, rows=26, columns=8, joint=3)


def brick_front(rng: np.random.Generator, grit: float) -> Tile:
    """The bricks of a house front: the same at three times the scale."""
    return _bricks(rng, grit, rows=72, columns=22, joint=1)


def _bricks(rng: np.random.Generator, grit: float, rows: int, columns: int, joint: int) -> Tile:
    bricks = _bond(rng, rows, columns, joint, spread=0.11)
    joints = _bond_joints(rows, columns, joint)
    tile = tinted(bricks + 0.04 * grit * tiling_noise(rng, SIZE, 0.6, 8))
    tile[joints] = [0.66, 0.64, 0.60, 0.35]
    return tile


def roof(rng: np.random.Generator, grit: float) -> Tile:
    """Rows of clay tiles, each shaded towards its lower edge."""
    rows, columns = 12, 16
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    row = np.floor(y * rows).astype(int)
    column = np.floor(x * columns + 0.5 * (row % 2)).astype(int) % columns
    shade = rng.normal(0, 0.05, (rows, columns))[row, column]
    drop = (y * rows) % 1
    bulge = np.abs(((x * columns + 0.5 * (row % 2)) % 1) - 0.5)
    return tinted(
        0.86 + shade + 0.10 * drop - 0.35 * (drop > 0.9) - 0.25 * bulge**2 + 0.03 * grit * tiling_noise(rng, SIZE, 1)
    )


def grass(rng: np.random.Generator, grit: float) -> Tile:
    """Short blades over yellowish and bare patches."""
    blades = 0.12 * tiling_noise(rng, SIZE, 0.3, 20)
    patches = tiling_noise(rng, SIZE, 1.5, 1, 14)
    tile = tinted(0.78 + blades + 0.07 * grit * patches)
    tile[..., 0] += 0.06 * grit * np.clip(patches, 0, 2)
    return np.asarray(np.clip(tile, 0, 1))


def leaves(rng: np.random.Generator, grit: float) -> Tile:
    """Clumps of leaves: bright tips over dark gaps."""
    clumps = tiling_noise(rng, SIZE, 0.9, 5, 60)
    fine = tiling_noise(rng, SIZE, 0.2, 40)
    tile = tinted(0.70 + 0.15 * np.tanh(clumps) + 0.07 * fine - 0.28 * np.clip(-clumps - 0.5, 0, 1.2))
    tile[..., 0] += 0.05 * grit * clumps
    return np.asarray(np.clip(tile, 0, 1))


def bark(rng: np.random.Generator, grit: float) -> Tile:
    """Vertical ridges."""
    ridges = _smear(tiling_noise(rng, SIZE, 0.6, 8))
    return tinted(0.72 + (0.08 + 0.06 * grit) * ridges)


def planks(rng: np.random.Generator, grit: float) -> Tile:
    """Vertical boards with dark gaps and grain."""
    boards = 12
    x = np.arange(SIZE) * boards / SIZE
    shade = 0.85 + rng.normal(0, 0.05, boards)[np.floor(x).astype(int)] - 0.45 * ((x % 1) < 0.07)
    return tinted(shade[None] + 0.05 * grit * _smear(tiling_noise(rng, SIZE, 0.5, 12)))


def clouds(rng: np.random.Generator, grit: float) -> Tile:
    """Cloud cover as brightness: 0 clear sky, 1 white."""
    field = tiling_noise(rng, SIZE, 1.75, 2, 120)
    return tinted(np.clip(0.5 + 0.42 * field, 0, 1))


def _bond(rng: np.random.Generator, rows: int, columns: int, joint: int, spread: float) -> NDArray[np.float64]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    row = np.floor(y * rows).astype(int)
    column = np.floor(x * columns + 0.5 * (row % 2)).astype(int) % columns
    shade: NDArray[np.float64] = 0.88 + rng.normal(0, spread, (rows, columns))[row, column]
    shade[_bond_joints(rows, columns, joint)] -= 0.22
    return shade


def _bond_joints(rows: int, columns: int, joint: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    row = np.floor(y * rows).astype(int)
    across = (x * columns + 0.5 * (row % 2)) % 1 * SIZE / columns
    return np.asarray(((y * rows) % 1 * SIZE / rows < joint) | (across < joint))


def _smear(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blurs along the vertical, keeping the tile seamless, and returns to unit spread."""
    spectrum = np.fft.fft(field, axis=0)
    rows = np.abs(np.fft.fftfreq(SIZE, 1 / SIZE))[:, None]
    blurred = np.fft.ifft(spectrum * np.exp(-((rows / 6) ** 2)), axis=0).real
    return np.asarray(blurred / blurred.std())
