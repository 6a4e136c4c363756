"""Pictures and label files into arrays; whatever is not plainly readable is refused with the file's name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from seglift.base.errors import UserError
from seglift.labels.image_file import ImageFile, decode_fast, drop_opaque_alpha, load, open_image_file, pixels
from seglift.labels.packed import Distinct, find_distinct, pack_rgb
from seglift.labels.space import Array8, LabelSpace, describe_ids, look_up

_LISTED = 12


def read_image(path: Path) -> Array8:
    """A picture as it is seen: an EXIF orientation is applied, grey and palette become RGB, an opaque alpha is dropped.

    Returns:
        uint8 [H, W, 3] RGB, 0..255.

    Raises:
        UserError: missing, empty, truncated, damaged or no image; 16 bits per channel; alpha that is not opaque.
    """
    file = open_image_file(path)
    if file.bits > 8 or file.image.mode.startswith(("I", "F")):
        raise UserError(
            f"{path} has more than 8 bits per channel, 8-bit pictures are expected; convert it to 8-bit RGB"
        )
    fast = file.whole and not file.has_alpha and file.image.mode in ("RGB", "L")
    decoded = decode_fast(file, cv2.IMREAD_COLOR_RGB) if fast else None
    if decoded is not None:
        return decoded
    image = drop_opaque_alpha(file)
    return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def read_gray(path: Path) -> Array8:
    """A single-channel 8-bit map such as a confidence or provenance PNG.

    Returns:
        uint8 [H, W] as stored.

    Raises:
        UserError: missing, empty, truncated, damaged or no image; not one channel of 8 bits.
    """
    file = open_image_file(path)
    if file.image.mode != "L" or file.bits != 8:
        raise UserError(f"{path} is {file.kind}, one channel of 8 bits is expected; convert it to 8-bit greyscale")
    return pixels(file)


def read_label(path: Path, space: LabelSpace) -> Array8:
    """A label file as space index.

    Accepted are raw ids in one channel (8 bits, or 16 where the values are ids), palette PNGs whose indices are ids or
    whose colours are the space's, RGB in the space's colours, and RGB with R = G = B = id. A palette that could be
    read both ways with different results is refused.

    Args:
        path: a lossless image.
        space: gives ids and colours their meaning.

    Returns:
        uint8 [H, W] space index.

    Raises:
        UserError: unreadable file, lossy format, alpha, ids or colours that the space lacks (listed with counts).
    """
    file = open_image_file(path)
    if file.image.format == "JPEG":
        raise UserError(f"{path} is a JPEG, whose compression alters ids; save the label as PNG")
    opaque = drop_opaque_alpha(file) if file.has_alpha else None
    if file.image.mode == "P":
        return _read_palette(file, space)
    if file.image.mode in ("1", "L"):
        return space.encode(_unscaled(file), str(path))
    if file.image.mode.startswith("I"):
        return _read_wide(file, space)
    if file.bits > 8 or file.image.mode == "F":
        raise UserError(f"{path} is {file.kind}, a label of 8 bits is expected; save it as an 8-bit PNG of ids")
    rgb = pixels(file) if file.image.mode == "RGB" else np.array((opaque or load(file)).convert("RGB"))
    return _read_color(rgb, space, str(path))


def _unscaled(file: ImageFile) -> Array8:
    """Stored samples: decoders stretch grey of 1, 2 or 4 bits to 0..255, which would alter ids."""
    values = pixels(file)
    return values if file.bits == 8 else values // np.uint8(255 // (2**file.bits - 1))


def _read_wide(file: ImageFile, space: LabelSpace) -> Array8:
    values = pixels(file)
    if int(values.max()) > 255:
        found = np.unique(np.where(values >= 1000, values // 1000, values))
        if set(found.tolist()) <= set(space.ids):
            raise UserError(
                f"{file.path} looks like Cityscapes instanceIds (values up to {int(values.max())}), "
                "class ids are expected; give the labelIds file (instances go beside it as *_instanceIds.png)"
            )
        raise UserError(
            f"{file.path} is 16-bit with values up to {int(values.max())}, ids of {space.name} "
            f"({describe_ids(space.ids)}) are expected; save the label as an 8-bit PNG of ids"
        )
    return space.encode(values, str(file.path))


def _read_palette(file: ImageFile, space: LabelSpace) -> Array8:
    indices = pixels(file)
    counts = np.bincount(indices.ravel(), minlength=256)
    used = np.flatnonzero(counts).tolist()
    palette = _palette_colors(file.image)
    known_colors = all(palette.get(value) in space.color_to_index for value in used)
    if set(used) <= set(space.ids):
        agrees = all(space.classes[space.ids.index(value)].color == palette.get(value) for value in used)
        if known_colors and not agrees:
            raise UserError(
                f"{file.path} is a palette PNG whose indices and whose colours mean different classes of {space.name}; "
                "save it as an 8-bit greyscale PNG of ids, or as RGB in the space's colours"
            )
        return space.encode(indices, str(file.path))
    if known_colors:
        table = np.zeros(256, np.uint8)
        for value in used:
            table[value] = space.color_to_index[palette[value]]
        return look_up(table, indices)
    wrong = [value for value in used if value not in space.ids]
    listed = ", ".join(f"{value} ({int(counts[value])} px)" for value in wrong[:_LISTED])
    raise UserError(
        f"{file.path} is a palette PNG with indices that are no ids of {space.name} ({listed}) and colours it lacks; "
        f"expected ids {describe_ids(space.ids)} or the space's colours; correct it or choose another --space"
    )


def _palette_colors(image: Image.Image) -> dict[int, tuple[int, int, int]]:
    flat = image.getpalette("RGB") or []
    return {index: (flat[3 * index], flat[3 * index + 1], flat[3 * index + 2]) for index in range(len(flat) // 3)}


def _read_color(rgb: Array8, space: LabelSpace, where: str) -> Array8:
    """RGB uint8 [H, W, 3] to space index."""
    distinct = find_distinct(pack_rgb(rgb))
    known = {(r << 16) | (g << 8) | b: index for (r, g, b), index in space.color_to_index.items()}
    if all(color in known for color in distinct.values.tolist()):
        table = np.array([known[color] for color in distinct.values.tolist()], np.uint8)
        return distinct.spread(table)
    if bool((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all()):
        return space.encode(np.ascontiguousarray(rgb[..., 0]), where)
    raise _unknown_colors(distinct, set(known), space, where)


def _unknown_colors(distinct: Distinct, known: set[int], space: LabelSpace, where: str) -> UserError:
    pairs = zip(distinct.values.tolist(), distinct.counts.tolist(), strict=True)
    unknown = sorted(((color, count) for color, count in pairs if color not in known), key=lambda pair: -pair[1])
    listed = ", ".join(f"({c >> 16}, {c >> 8 & 255}, {c & 255}) ({count} px)" for c, count in unknown[:_LISTED])
    more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
    return UserError(
        f"{where} is RGB with colours that label space {space.name} lacks: {listed}{more}; "
        "correct them, give an 8-bit PNG of ids, or choose another --space"
    )
