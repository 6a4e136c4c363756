"""A model run over overlapping tiles, so that memory does not follow the size of the image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """First pixels of tiles that cover ``length`` pixels evenly, each sharing at least ``overlap`` with the next.

    Args:
        length: pixels to cover.
        tile: pixels of a tile; one tile covers all where it is no shorter than ``length``.
        overlap: share in 0..1 (1 excluded).
    """
    if tile >= length:
        return [0]
    stride = max(1, int(tile * (1 - overlap)))
    count = math.ceil((length - tile) / stride) + 1
    return [round(n * (length - tile) / (count - 1)) for n in range(count)]


def tile_size(height: int, width: int, tile: int | None, max_pixels: int) -> tuple[int, int]:
    """Height and width of the tiles: squares of side ``tile``, or of at most ``max_pixels`` where it is None.

    An image of at most ``max_pixels`` is one tile where ``tile`` is None. No tile is larger than the image; what a flat
    image leaves over in height is given to the width, and the other way round.
    """
    if tile is not None:
        return min(tile, height), min(tile, width)
    if height * width <= max_pixels:
        return height, width
    side = math.isqrt(max_pixels)
    if height <= side:
        return height, max_pixels // height
    if width <= side:
        return max_pixels // width, width
    return side, side


def sliding_logits(logits: Callable[[Tensor], Tensor], images: Tensor, tile: tuple[int, int], overlap: float) -> Tensor:
    """Logits of overlapping tiles, summed and divided by the number of tiles that saw each pixel.

    Args:
        logits: images [B, 3, h, w] to logits [B, C, h, w].
        images: float32 [B, 3, H, W] in 0..1.
        tile: height and width of the tiles, no larger than the image.
        overlap: share of a tile that it has in common with the next, 0..1 (1 excluded).

    Returns:
        float32 [B, C, H, W].
    """
    height, width = images.shape[-2:]
    if tile == (height, width):
        return logits(images)
    total: Tensor | None = None
    visits = images.new_zeros(height, width)
    for top in tile_starts(height, tile[0], overlap):
        for left in tile_starts(width, tile[1], overlap):
            rows, columns = slice(top, top + tile[0]), slice(left, left + tile[1])
            part = logits(images[..., rows, columns])
            if total is None:
                total = torch.zeros((*part.shape[:2], height, width), dtype=part.dtype, device=part.device)
            total[..., rows, columns] += part
            visits[rows, columns] += 1
    if total is None:
        raise ValueError(f"an image has at least one pixel, got {height} x {width}")
    return total.div_(visits)
