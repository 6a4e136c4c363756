"""All textures of a style in one image with their mip levels, and trilinear look-up.

The levels are box-filtered halves (L. Williams, "Pyramidal Parametrics", SIGGRAPH 1983), which keeps distant texture
free of shimmering: what a frame shows at a distance is the mean of what it shows nearby.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import numpy_generator
from seglift.datasets.streets import textures as paint
from seglift.datasets.streets.facades import FRONTS, GROUND_FLOORS
from seglift.datasets.streets.signs import PICTURE_METRES, PICTURES
from seglift.datasets.streets.textures import SIZE, Texture

LEVELS = 8
PITCH = SIZE + 2 * (LEVELS + 1)
FRONT_METRES = (6.0, 6.4)
GROUND_FLOOR_METRES = (6.0, 3.8)
CLOUD_TILE = 3.0
LOOKUP_WIDTH = 1024

TEXTURES: dict[str, Texture] = {
    "plain": Texture(paint.plain, (1.5, 1.5)),
    "asphalt": Texture(paint.asphalt, (7.0, 7.0)),
    "paving": Texture(paint.paving, (2.4, 2.4)),
    "stone": Texture(paint.stone, (2.0, 2.0)),
    "plaster": Texture(paint.plaster, (6.0, 6.4)),
    "brick": Texture(paint.brick, (2.0, 2.0)),
    "roof": Texture(paint.roof, (3.6, 3.0)),
    "grass": Texture(paint.grass, (4.0, 4.0)),
    "leaves": Texture(paint.leaves, (2.2, 2.2)),
    "bark": Texture(paint.bark, (0.8, 1.6)),
    "planks": Texture(paint.planks, (1.6, 1.6)),
    "clouds": Texture(paint.clouds, (CLOUD_TILE, CLOUD_TILE)),
    **{name: Texture(painter, FRONT_METRES) for name, painter in FRONTS.items()},
    **{name: Texture(painter, GROUND_FLOOR_METRES) for name, painter in GROUND_FLOORS.items()},
    **{name: Texture(painter, (PICTURE_METRES[name],) * 2) for name, painter in PICTURES.items()},
}
TEXTURE_INDEX = {name: index for index, name in enumerate(TEXTURES)}


@dataclass(frozen=True)
class Atlas:
    """Mip-mapped textures.

    Attributes:
        image: uint8 [T * PITCH, columns, 4], every texture with its levels, each with a wrapped border of one texel.
        metres: float32 [T, 2], width and height of a tile.
        corner: float32 [LEVELS, 2], x and y of the first texel of each level within a texture's rows.
    """

    image: NDArray[np.uint8]
    metres: NDArray[np.float32]
    corner: NDArray[np.float32]

    def sample(
        self, texture: NDArray[np.int16], uv: NDArray[np.float32], footprint: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Looks up textures.

        Args:
            texture: int16 [N], indices into TEXTURES.
            uv: float32 [N, 2], metres.
            footprint: float32 [N], edge of the area seen by the sample, metres.

        Returns:
            float32 [N, 4]: sRGB 0..1 and tint mask 0..1.
        """
        if not len(texture):
            return np.empty((0, 4), np.float32)
        metres = self.metres[texture]
        tiles = uv / metres
        tiles -= np.floor(tiles)
        tiles[:, 1] = 1 - tiles[:, 1]
        texel = np.sqrt(metres[:, 0] * metres[:, 1]) * (1 / SIZE)
        level = np.clip(np.log2(np.maximum(footprint / texel, 1e-3)), 0, LEVELS - 1.001)
        lower = level.astype(np.int32)
        share = (level - lower)[:, None].astype(np.float32)
        near, far = self._level(texture, tiles, lower), self._level(texture, tiles, lower + 1)
        return np.asarray((near + (far - near) * share) * np.float32(1 / 255))

    def _level(
        self, texture: NDArray[np.int16], tiles: NDArray[np.float32], level: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        count = len(texture)
        size = (SIZE >> level).astype(np.float32)
        rows = -(-count // LOOKUP_WIDTH)
        maps = np.zeros((2, rows * LOOKUP_WIDTH), np.float32)
        corner = self.corner[level]
        maps[0, :count] = corner[:, 0] + tiles[:, 0] * size - 0.5
        maps[1, :count] = corner[:, 1] + tiles[:, 1] * size - 0.5 + texture.astype(np.float32) * PITCH
        grid = maps.reshape(2, rows, LOOKUP_WIDTH)
        found = cv2.remap(self.image, grid[0], grid[1], cv2.INTER_LINEAR)
        return np.asarray(found.reshape(-1, 4)[:count], np.float32)


@lru_cache(maxsize=4)
def build_atlas(name: str, grit: float) -> Atlas:
    """Paints all textures of a style; equal arguments give equal texels. Cached, about a second the first time."""
    corners = [(1, 1)]
    top = 1
    for level in range(1, LEVELS):
        corners.append((SIZE + 3, top))
        top += (SIZE >> level) + 2
    image = np.zeros((len(TEXTURES) * PITCH, SIZE + 2 + SIZE // 2 + 2, 4), np.uint8)
    for index, (key, texture) in enumerate(TEXTURES.items()):
        tile = texture.paint(numpy_generator(0, "streets", "texture", name, key), grit)
        for x, y in corners:
            size = len(tile)
            texels = np.round(np.clip(tile, 0, 1) * 255).astype(np.uint8)
            padded = np.pad(texels, ((1, 1), (1, 1), (0, 0)), mode="wrap")
            row = index * PITCH + y - 1
            image[row : row + size + 2, x - 1 : x + size + 1] = padded
            tile = tile.reshape(size // 2, 2, size // 2, 2, 4).mean(axis=(1, 3))
    metres = np.array([texture.metres for texture in TEXTURES.values()], np.float32)
    return Atlas(image, metres, np.array(corners, np.float32))
