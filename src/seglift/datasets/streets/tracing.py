"""Rays against the static street and the movers of one moment, by Embree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.datasets.streets.mesh import Floats


def embree() -> tuple[Any, Any]:
    """Embree's classes of a scene and of a mesh in it.

    Raises:
        UserError: embreex, which is not made for every platform, is not installed.
    """
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError as error:
        raise UserError(
            "rendering streets needs the package embreex, which is not installed; pip install embreex (it exists for"
            " x86-64 and for macOS), or render on such a machine; labelling works without it"
        ) from error
    return EmbreeScene, TriangleMesh


@dataclass(frozen=True)
class Hits:
    """What N rays met first.

    Attributes:
        face: int32 [N], -1 for the sky; static faces first, then the movers'.
        distance: float32 [N], in units of the ray's direction; inf for the sky.
        weights: float32 [N, 3], barycentric weights of the face's corners.
    """

    face: NDArray[np.int32]
    distance: NDArray[np.float32]
    weights: NDArray[np.float32]


class Tracer:
    """Faces in an Embree scene.

    Args:
        corners: float64 [F, 3, 3], triangle corners in metres; F may be 0.

    Raises:
        UserError: Embree is not installed.
    """

    def __init__(self, corners: Floats) -> None:
        scene, mesh = embree()
        self.count = len(corners)
        self._scene = scene(robust=True)
        if self.count:
            mesh(self._scene, np.ascontiguousarray(corners, dtype=np.float32))

    def first(self, origins: NDArray[np.float32], directions: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Embree's hit record of each ray (primID, tfar, u, v)."""
        return dict(self._scene.run(origins, directions, output=1, query="INTERSECT"))

    def blocked(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], limit: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether anything lies on each ray before ``limit`` (in units of its direction)."""
        if not self.count or not len(origins):
            return np.zeros(len(origins), bool)
        return np.asarray(self._scene.run(origins, directions, dists=limit.copy(), query="OCCLUDED") != -1)

    def reach(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], limit: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Distance to the first face on each ray, at most ``limit`` (in units of its direction)."""
        if not self.count or not len(origins):
            return limit
        found = self._scene.run(origins, directions, dists=limit.copy(), query="DISTANCE")
        return np.asarray(np.minimum(found, limit), np.float32)


class Moment:
    """The street at one moment: the static tracer and one of the movers.

    Args:
        static: tracer of everything that never moves.
        movers: tracer of the movers' faces at this moment.
    """

    def __init__(self, static: Tracer, movers: Tracer) -> None:
        self.static, self.movers = static, movers

    def first(self, origin: Floats, rays: NDArray[np.float32]) -> Hits:
        """First hits of ``rays``, directions float32 [N, 3], from one point ``origin`` [3]."""
        origins = np.tile(origin.astype(np.float32), (len(rays), 1))
        record = self.static.first(origins, rays)
        if self.movers.count:
            other = self.movers.first(origins, rays)
            other["primID"] = np.where(other["primID"] >= 0, other["primID"] + self.static.count, -1)
            nearer = other["tfar"] < record["tfar"]
            record = {key: np.where(nearer, other[key], record[key]) for key in ("primID", "tfar", "u", "v")}
        face = record["primID"].astype(np.int32)
        u, v = record["u"], record["v"]
        distance = np.where(face >= 0, record["tfar"], np.float32(np.inf))
        return Hits(face, distance, np.stack([1 - u - v, u, v], axis=1))

    def blocked(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], limit: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether the static street or a mover lies on each ray before ``limit``."""
        found = self.static.blocked(origins, directions, limit)
        left = np.flatnonzero(~found)
        found[left] = self.movers.blocked(origins[left], directions[left], limit[left])
        return found

    def reach(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], limit: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Distance to the first thing on each ray, at most ``limit``."""
        return self.movers.reach(origins, directions, self.static.reach(origins, directions, limit))
