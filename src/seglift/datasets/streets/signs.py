"""Painters of small pictures: traffic sign faces, wheels, number plates. Their uv origin is the picture's centre."""

from __future__ import annotations

import cv2
import numpy as np

from seglift.datasets.streets.textures import SIZE, Painter, Tile

WHITE = (0.93, 0.93, 0.92)
RED = (0.72, 0.08, 0.09)
BLUE = (0.08, 0.24, 0.60)
BLACK = (0.08, 0.08, 0.08)
CENTER = (SIZE // 2, SIZE // 2)


def picture(draw: Painter) -> Painter:
    """Moves the centre of what ``draw`` painted to the tile's corner, where uv is (0, 0)."""

    def paint(rng: np.random.Generator, grit: float) -> Tile:
        return np.asarray(np.roll(draw(rng, grit), (SIZE // 2, SIZE // 2), axis=(0, 1)))

    return paint


def _canvas(color: tuple[float, float, float]) -> Tile:
    tile = np.zeros((SIZE, SIZE, 4))
    tile[..., :3] = color
    return tile


def _text(tile: Tile, text: str, scale: float, color: tuple[float, float, float], y: int = SIZE // 2) -> None:
    thickness = round(scale * 3.2)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, thickness)
    ink = np.zeros((SIZE, SIZE), np.uint8)
    origin = ((SIZE - width) // 2, y + height // 2)
    cv2.putText(ink, text, origin, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thickness, cv2.LINE_8)
    tile[ink > 127] = (*color, 0.0)


def limit(rng: np.random.Generator, grit: float) -> Tile:
    """Speed limit: a red ring around a number."""
    tile = _canvas(RED)
    cv2.circle(tile, CENTER, 190, (*WHITE, 0.0), -1)
    _text(tile, "50", 7, BLACK)
    return tile


def no_entry(rng: np.random.Generator, grit: float) -> Tile:
    """A white bar on red."""
    tile = _canvas(RED)
    cv2.rectangle(tile, (80, 216), (SIZE - 80, SIZE - 216), (*WHITE, 0.0), -1)
    return tile


def give_way(rng: np.random.Generator, grit: float) -> Tile:
    """The face of a triangle that points down: a red rim around white."""
    tile = _canvas(RED)
    inner = np.array([[130, 170], [SIZE - 130, 170], [SIZE // 2, 385]])
    cv2.fillPoly(tile, [inner], (*WHITE, 0.0))
    return tile


def parking(rng: np.random.Generator, grit: float) -> Tile:
    """A white P on blue."""
    tile = _canvas(BLUE)
    _text(tile, "P", 10, WHITE)
    return tile


def crossing(rng: np.random.Generator, grit: float) -> Tile:
    """Pedestrian crossing: a white triangle with a walker on blue."""
    tile = _canvas(BLUE)
    cv2.fillPoly(tile, [np.array([[SIZE // 2, 70], [450, 430], [62, 430]])], (*WHITE, 0.0))
    cv2.circle(tile, (SIZE // 2, 190), 26, (*BLACK, 0.0), -1)
    for end in ((200, 400), (310, 400), (190, 300), (320, 290)):
        cv2.line(tile, (SIZE // 2, 290 if end[1] == 400 else 230), end, (*BLACK, 0.0), 26)
    return tile


def direction(rng: np.random.Generator, grit: float) -> Tile:
    """A yellow board with two lines of lettering and an arrow."""
    tile = _canvas((0.86, 0.70, 0.12))
    for y, end in ((190, 430), (320, 380)):
        x = 110
        while x < end:
            step = int(rng.integers(16, 40))
            cv2.rectangle(tile, (x, y - 34), (x + step, y + 34), (*BLACK, 0.0), -1)
            x += step + 12
    return tile


def wheel(rng: np.random.Generator, grit: float) -> Tile:
    """A rim with five spokes on a dark tyre."""
    tile = _canvas((0.09, 0.09, 0.095))
    cv2.circle(tile, CENTER, 168, (0.62, 0.63, 0.65, 0.0), -1)
    cv2.circle(tile, CENTER, 150, (0.16, 0.16, 0.17, 0.0), -1)
    for i in range(5):
        angle = 2 * np.pi * i / 5
        end = (round(SIZE / 2 + 158 * np.cos(angle)), round(SIZE / 2 + 158 * np.sin(angle)))
        cv2.line(tile, CENTER, end, (0.66, 0.67, 0.69, 0.0), 40)
    cv2.circle(tile, CENTER, 42, (0.5, 0.51, 0.53, 0.0), -1)
    return tile


PICTURES: dict[str, Painter] = {
    name: picture(draw)
    for name, draw in (
        ("sign_limit", limit),
        ("sign_no_entry", no_entry),
        ("sign_give_way", give_way),
        ("sign_parking", parking),
        ("sign_crossing", crossing),
        ("sign_direction", direction),
        ("wheel", wheel),
    )
}
PICTURE_METRES = {
    "sign_limit": 0.7,
    "sign_no_entry": 0.7,
    "sign_give_way": 0.9,
    "sign_parking": 0.7,
    "sign_crossing": 0.7,
    "sign_direction": 1.4,
    "wheel": 0.66,
}
