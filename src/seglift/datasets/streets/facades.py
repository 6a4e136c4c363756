"""Painters of house fronts: one tile is two bays wide and two floors high (shops: one bay pair, one floor)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seglift.datasets.streets.textures import SIZE, Painter, Tile, brick_front, plaster

HALF = SIZE // 2
FRAME = (0.90, 0.89, 0.86, 0.0)
STONE = (0.78, 0.76, 0.71, 0.3)


def fill(tile: Tile, x0: float, y0: float, x1: float, y1: float, color: tuple[float, float, float, float]) -> None:
    """Paints a rectangle given in pixels; x to the right, y down."""
    tile[round(y0) : round(y1), round(x0) : round(x1)] = color


def glass(rng: np.random.Generator, tile: Tile, x0: int, y0: int, x1: int, y1: int) -> None:
    """A pane: darker below, a slanting reflection, sometimes a curtain or a blind."""
    height, width = y1 - y0, x1 - x0
    y, x = np.mgrid[0:height, 0:width]
    base = np.array([0.26, 0.32, 0.39]) * rng.uniform(0.7, 1.15)
    shade = 1.25 - 0.55 * y / height
    shine = 0.16 * np.exp(-((((x / width + 0.6 * y / height) - rng.uniform(0.3, 1.2)) / 0.16) ** 2))
    pane = base * shade[..., None] + shine[..., None]
    kind = rng.random()
    if kind < 0.35:
        curtain = (np.abs(x / width - 0.5) > rng.uniform(0.22, 0.34)) & (y > 2)
        folds = 0.80 + 0.06 * np.sin(x * 40.0 / width)
        pane[curtain] = (folds[..., None] * np.array([0.92, 0.9, 0.84]))[curtain] * 0.85
    elif kind < 0.55:
        blind = y < height * rng.uniform(0.25, 0.8)
        slats = 0.76 + 0.05 * np.sin(y * 2 * np.pi / 7)
        pane[blind] = (slats[..., None] * np.array([0.95, 0.94, 0.9]))[blind]
    tile[y0:y1, x0:x1, :3] = np.clip(pane, 0, 1)
    tile[y0:y1, x0:x1, 3] = 0


def window(
    rng: np.random.Generator, tile: Tile, x0: int, y0: int, width: int, height: int, columns: int, rows: int
) -> None:
    """A framed window with ``columns`` x ``rows`` panes, a sill and a shadow under it."""
    fill(tile, x0 - 7, y0 - 7, x0 + width + 7, y0 + height + 7, STONE)
    fill(tile, x0 - 2, y0 - 2, x0 + width + 2, y0 + height + 2, (0.35, 0.33, 0.3, 0.2))
    fill(tile, x0, y0, x0 + width, y0 + height, FRAME)
    bar = 5
    for i in range(columns):
        for j in range(rows):
            left, right = x0 + bar + i * (width - bar) // columns, x0 + (i + 1) * (width - bar) // columns
            upper, lower = y0 + bar + j * (height - bar) // rows, y0 + (j + 1) * (height - bar) // rows
            glass(rng, tile, left, upper, right, lower)
    fill(tile, x0 - 12, y0 + height + 5, x0 + width + 12, y0 + height + 14, (0.82, 0.8, 0.76, 0.1))
    tile[y0 + height + 14 : y0 + height + 22, x0 - 10 : x0 + width + 10, :3] *= 0.72


def front(base: Painter, size: tuple[int, int], panes: tuple[int, int], band: bool, shutters: bool) -> Painter:
    """A painter: wall by ``base``, windows of ``size`` (width, height) pixels with ``panes`` (columns, rows)."""

    def paint(rng: np.random.Generator, grit: float) -> Tile:
        tile = base(rng, grit)
        if band:
            for y in (HALF - 14, SIZE - 14):
                fill(tile, 0, y, SIZE, y + 12, STONE)
                tile[(y + 12) % SIZE : (y + 12) % SIZE + 6, :, :3] *= 0.75
        for i in range(2):
            for j in range(2):
                x0, y0 = i * HALF + (HALF - size[0]) // 2, j * HALF + (HALF - size[1]) // 2 - 6
                if shutters:
                    green = (0.28, 0.36, 0.30, 0.15) if i else (0.30, 0.38, 0.32, 0.15)
                    for x in (x0 - size[0] // 2 - 10, x0 + size[0] + 10):
                        fill(tile, x, y0, x + size[0] // 2, y0 + size[1], green)
                        for slat in range(y0 + 6, y0 + size[1] - 4, 12):
                            tile[slat : slat + 4, x + 5 : x + size[0] // 2 - 5, :3] *= 0.7
                window(rng, tile, x0, y0, *size, *panes)
        return tile

    return paint


def office(rng: np.random.Generator, grit: float) -> Tile:
    """Ribbons of glass between panels."""
    tile = plaster(rng, grit)
    for j in range(2):
        top = j * HALF + 60
        fill(tile, 0, top - 8, SIZE, top + 150, (0.24, 0.25, 0.27, 0.1))
        for i in range(8):
            glass(rng, tile, i * 64 + 4, top, i * 64 + 60, top + 142)
        tile[top + 150 : top + 156, :, :3] *= 0.8
    return tile


def balconies(rng: np.random.Generator, grit: float) -> Tile:
    """Flats: a window beside a glazed balcony door with a railing."""
    tile = plaster(rng, grit)
    for j in range(2):
        y0 = j * HALF
        window(rng, tile, 40, y0 + 62, 130, 120, 2, 1)
        window(rng, tile, HALF + 50, y0 + 56, 150, 172, 3, 1)
        fill(tile, HALF + 20, y0 + 148, SIZE - 20, y0 + 156, (0.3, 0.31, 0.33, 0.0))
        for x in range(HALF + 22, SIZE - 20, 12):
            fill(tile, x, y0 + 150, x + 4, y0 + 238, (0.34, 0.35, 0.37, 0.0))
        fill(tile, HALF + 14, y0 + 236, SIZE - 14, y0 + 250, (0.7, 0.69, 0.66, 0.2))
    return tile


def shop(rng: np.random.Generator, grit: float) -> Tile:
    """A ground floor: fascia with blocks of lettering, show windows, a door, a plinth."""
    tile = plaster(rng, grit)
    hue = rng.permutation([0.55, 0.20, 0.16])
    fill(tile, 10, 40, SIZE - 10, 112, (*hue, 0.0))
    x = 60
    while x < SIZE - 90:
        step = int(rng.integers(14, 34))
        fill(tile, x, 60, x + step, 94, (0.93, 0.91, 0.84, 0.0))
        x += step + int(rng.integers(6, 12))
    fill(tile, 14, 120, SIZE - 14, SIZE - 40, (0.22, 0.21, 0.2, 0.0))
    for x0, x1 in ((24, 180), (190, 330)):
        glass(rng, tile, x0, 130, x1, SIZE - 60)
        for _ in range(7):
            left, height = int(rng.integers(x0, x1 - 30)), int(rng.integers(30, 110))
            fill(tile, left, SIZE - 60 - height, left + 24, SIZE - 62, (*rng.uniform(0.25, 0.75, 3), 0.0))
    fill(tile, 344, 126, 490, SIZE, (0.33, 0.27, 0.22, 0.0))
    glass(rng, tile, 360, 146, 474, SIZE - 120)
    return tile


def entrance(rng: np.random.Generator, grit: float) -> Tile:
    """A ground floor of flats: windows, a house door with steps, a stone base."""
    tile = plaster(rng, grit)
    fill(tile, 0, SIZE - 110, SIZE, SIZE, (0.55, 0.53, 0.5, 0.35))
    fill(tile, 0, SIZE - 114, SIZE, SIZE - 108, (0.72, 0.7, 0.66, 0.2))
    window(rng, tile, 50, 130, 150, 220, 2, 2)
    fill(tile, 296, 90, 444, SIZE, STONE)
    fill(tile, 312, 108, 428, SIZE - 24, (0.32, 0.21, 0.14, 0.0))
    for y in (190, 300, 400):
        fill(tile, 326, y - 60, 364, y + 24, (0.25, 0.16, 0.1, 0.0))
        fill(tile, 376, y - 60, 414, y + 24, (0.25, 0.16, 0.1, 0.0))
    glass(rng, tile, 320, 112, 420, 150)
    fill(tile, 300, SIZE - 24, 440, SIZE, (0.62, 0.6, 0.57, 0.0))
    return tile


FRONTS: dict[str, Callable[[np.random.Generator, float], Tile]] = {
    "front_plain": front(plaster, (112, 146), (2, 1), band=False, shutters=False),
    "front_banded": front(plaster, (100, 168), (2, 3), band=True, shutters=False),
    "front_shutters": front(plaster, (94, 150), (2, 2), band=False, shutters=True),
    "front_brick": front(brick_front, (118, 152), (1, 2), band=False, shutters=False),
    "front_brick_band": front(brick_front, (104, 166), (2, 2), band=True, shutters=False),
    "front_office": office,
    "front_balcony": balconies,
}
GROUND_FLOORS: dict[str, Callable[[np.random.Generator, float], Tile]] = {
    "shop_a": shop,
    "shop_b": shop,
    "entrance": entrance,
}
