"""Triangle meshes with what a face looks like and what it means.

World frame: x to the right of the street, y along it, z up, metres. Angles in radians.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seglift.datasets.streets.atlas import TEXTURE_INDEX
from seglift.datasets.streets.classes import THINGS, instance_id

Floats = NDArray[np.float64]
Color = tuple[float, float, float]
Points = NDArray[Any] | Sequence[Sequence[float] | NDArray[Any]]


def scaled(color: Color, factor: float) -> Color:
    """The colour, brighter or darker."""
    return color[0] * factor, color[1] * factor, color[2] * factor


@dataclass(frozen=True)
class Surface:
    """What a face looks like and means.

    Attributes:
        texture: name of a texture in ``atlas.TEXTURES``.
        tint: linear RGB albedo 0..1 that multiplies the texture where its tint mask is set.
        label: raw Cityscapes id.
        gloss: share of mirrored sky, 0 (matte) .. 1.
        glow: light of its own, as a multiple of the albedo.
    """

    texture: str
    tint: Color
    label: int
    gloss: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class Mesh:
    """A soup of F triangles.

    Attributes:
        corners: float64 [F, 3, 3], corner positions in metres.
        normals: float32 [F, 3, 3], unit shading normals at the corners.
        uv: float32 [F, 3, 2], texture coordinates in metres along the surface.
        texture: int16 [F], indices into ``atlas.TEXTURES``.
        tint: float32 [F, 3]; gloss, glow: float32 [F] (see :class:`Surface`).
        label: uint8 [F], raw Cityscapes ids; instance: uint16 [F], Cityscapes instance ids.
    """

    corners: Floats
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    texture: NDArray[np.int16]
    tint: NDArray[np.float32]
    gloss: NDArray[np.float32]
    glow: NDArray[np.float32]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.corners)

    def transformed(self, pose: Floats) -> Mesh:
        """The mesh moved by ``pose``, float64 [3, 4]: a rotation and uniform scale, and a translation."""
        linear = pose[:, :3]
        rotation = linear / np.linalg.norm(linear[:, 0])
        return replace(
            self, corners=self.corners @ linear.T + pose[:, 3], normals=self.normals @ rotation.T.astype(np.float32)
        )

    def placed(self, x: float, y: float, z: float = 0.0, heading: float = 0.0, scale: float = 1.0) -> Mesh:
        """The mesh turned about z by ``heading`` (0 looks along +y, positive to the left) and put at (x, y, z)."""
        return self.transformed(placement(x, y, z, heading, scale))

    def numbered(self, numbers: Mapping[int, int]) -> Mesh:
        """The mesh with instance numbers; ``numbers`` maps the label of a thing to its n (ids label * 1000 + n).

        Raises:
            ValueError: a number is outside 0..999.
        """
        instance = self.label.astype(np.uint16)
        for label, number in numbers.items():
            if label in THINGS:
                instance[self.label == label] = instance_id(label, number)
        return replace(self, instance=instance)

    def smoothed(self, angle: float = 0.8) -> Mesh:
        """The mesh with shading normals averaged over faces that share a corner and differ by less than ``angle``."""
        edges = cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])
        unit = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-12)
        keys = np.round(self.corners.reshape(-1, 3) * 1e4).astype(np.int64)
        key = keys @ np.array([1, 2_000_003, 4_000_037_000_003])
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
        sizes = np.diff(starts, append=len(order))
        slots = starts[:, None] + np.arange(sizes.max())
        valid = np.arange(sizes.max()) < sizes[:, None]
        members = order[np.minimum(slots, len(order) - 1)]
        near = np.einsum("gic,gjc->gij", unit[members // 3], unit[members // 3]) > np.cos(angle)
        sums = np.einsum("gij,gjc->gic", near & valid[:, None], edges[members // 3])
        normals = np.empty((len(self) * 3, 3), np.float32)
        normals[members[valid]] = sums[valid]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return replace(self, normals=normals.reshape(-1, 3, 3))


def placement(x: float, y: float, z: float = 0.0, heading: float = 0.0, scale: float = 1.0) -> Floats:
    """The pose float64 [3, 4] that :meth:`Mesh.placed` uses."""
    c, s = np.cos(heading), np.sin(heading)
    return np.array([[scale * c, -scale * s, 0, x], [scale * s, scale * c, 0, y], [0, 0, scale, z]], dtype=np.float64)


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """All meshes as one, faces in order.

    Raises:
        ValueError: there is no mesh.
    """
    parts = list(meshes)
    if not parts:
        raise ValueError("merge needs at least one mesh")
    return Mesh(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Mesh)))


def triangles(
    corners: ArrayLike, surface: Surface, uv: ArrayLike | None = None, normals: ArrayLike | None = None
) -> Mesh:
    """A mesh of triangles [F, 3, 3] with one surface; flat normals and planar uv unless given."""
    points = np.asarray(corners, dtype=np.float64).reshape(-1, 3, 3)
    count = len(points)
    flat = cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    if normals is None:
        normals = np.repeat(flat[:, None], 3, axis=1)
    if uv is None:
        uv = planar_uv(points, flat)
    label = np.full(count, surface.label, np.uint8)
    return Mesh(
        corners=points,
        normals=np.asarray(normals, dtype=np.float32).reshape(-1, 3, 3),
        uv=np.asarray(uv, dtype=np.float32).reshape(-1, 3, 2),
        texture=np.full(count, TEXTURE_INDEX[surface.texture], np.int16),
        tint=np.tile(np.asarray(surface.tint, np.float32), (count, 1)),
        gloss=np.full(count, surface.gloss, np.float32),
        glow=np.full(count, surface.glow, np.float32),
        label=label,
        instance=label.astype(np.uint16),
    )


def planar_uv(points: Floats, normals: Floats) -> Floats:
    """Texture coordinates in metres [F, 3, 2] by projection along each face's dominant axis: v is height on walls."""
    axis = np.abs(normals).argmax(axis=1)
    u = np.where((axis == 0)[:, None], points[:, :, 1], points[:, :, 0])
    v = np.where((axis == 2)[:, None], points[:, :, 1], points[:, :, 2])
    return np.stack([u, v], axis=2)


def cross(a: Floats, b: Floats) -> Floats:
    """Cross products of rows [N, 3] (numpy's own is slow on small arrays)."""
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        axis=1,
    )
