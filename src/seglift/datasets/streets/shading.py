"""Colour of ray hits: texture, sun with shadows, sky light with occlusion from above, mirrored sky, haze.

All colours here are linear RGB float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.atlas import TEXTURE_INDEX, Atlas
from seglift.datasets.streets.mesh import Floats
from seglift.datasets.streets.scene import Scene
from seglift.datasets.streets.tracing import Hits, Moment

LIFT = 2e-3
SHELTER = 7.0
BACKLIGHT = 0.3
LEAF_SKY = 0.8
SHADOW_REACH = 90.0
LEAVES = TEXTURE_INDEX["leaves"]
CLOUDS = TEXTURE_INDEX["clouds"]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Colour of N rays and what edges are looked for in.

    Attributes:
        color: float32 [N, 3]; lit: float32 [N], share of the sun that arrives; normal: float32 [N, 3].
    """

    color: F32
    lit: F32
    normal: F32


class Shader:
    """Shades rays of one scene.

    Args:
        scene: the street.
        atlas: its textures.
    """

    def __init__(self, scene: Scene, atlas: Atlas) -> None:
        faces, style = scene.faces, scene.style
        self._scene, self._atlas, self._style = scene, atlas, style
        self._uv = faces.uv
        self._texture, self._tint, self._gloss, self._glow = faces.texture, faces.tint, faces.gloss, faces.glow
        self._sun = scene.sun.astype(np.float32)
        self._static_normals = faces.normals[: scene.static_count]

    def moment_normals(self, moved: F32) -> F32:
        """Normals of all faces at a moment, from those of the movers."""
        return np.concatenate([self._static_normals, moved])

    def shade(self, moment: Moment, normals: F32, origin: Floats, directions: F32, hits: Hits, spread: float) -> Sample:
        """Shades rays.

        Args:
            moment: the scene to cast shadow rays in.
            normals: of :meth:`moment_normals`.
            origin: camera position [3].
            directions: rays float32 [N, 3] with depth 1 along the optical axis; hits: what they met.
            hits: of ``moment.first``.
            spread: angle of a pixel, radians.
        """
        count = len(directions)
        length = np.sqrt(np.einsum("nc,nc->n", directions, directions))
        view = directions / length[:, None]
        found = np.flatnonzero(hits.face >= 0)
        color, lit, normal = (
            np.empty((count, 3), np.float32),
            np.ones(count, np.float32),
            np.zeros((count, 3), np.float32),
        )
        away = np.flatnonzero(hits.face < 0)
        color[away] = self.sky(view[away], spread)
        face = hits.face[found]
        points = origin.astype(np.float32) + directions[found] * hits.distance[found][:, None]
        distance = hits.distance[found] * length[found]
        weights = hits.weights[found]
        color[found], lit[found], normal[found] = self._surfaces(
            moment, normals, face, weights, points, view[found], distance, spread
        )
        return Sample(color, lit, normal)

    def _surfaces(
        self,
        moment: Moment,
        normals: F32,
        face: NDArray[np.int32],
        weights: F32,
        points: F32,
        view: F32,
        distance: F32,
        spread: float,
    ) -> tuple[F32, F32, F32]:
        style = self._style
        normal = np.einsum("nk,nkc->nc", weights, normals[face])
        normal /= np.maximum(np.sqrt(np.einsum("nc,nc->n", normal, normal)), 1e-6)[:, None]
        texture = self._texture[face]
        leafy = texture == LEAVES
        facing = np.einsum("nc,nc->n", normal, view)
        flip = (facing > 0) & ~leafy
        normal[flip] *= -1
        slant = np.clip(np.abs(facing), 0.03, 1.0)
        uv = np.einsum("nk,nkc->nc", weights, self._uv[face])
        texel = self._atlas.sample(texture, uv, distance * np.float32(spread) * slant ** np.float32(-0.65))
        albedo = texel[:, :3] ** 2 * (1 + texel[:, 3:] * (self._tint[face] - 1))
        lit, open_sky = self._visibility(moment, points, normal, distance, leafy)
        towards = _dot(normal, self._sun)
        wrapped = np.where(leafy, BACKLIGHT + (1 - BACKLIGHT) * towards, towards)
        sun = (np.maximum(wrapped, 0) * lit)[:, None] * np.array(style.sun, np.float32)
        up = normal[:, 2:] * 0.5 + 0.5
        ambient = up * np.array(style.sky, np.float32) + (1 - up) * np.array(style.bounce, np.float32)
        color = albedo * (sun + ambient * open_sky[:, None] + self._glow[face][:, None])
        gloss = self._gloss[face]
        shiny = np.flatnonzero(gloss > 0)
        if len(shiny):
            color[shiny] += self._mirror(view[shiny], normal[shiny], gloss[shiny], lit[shiny])
        return self._hazed(color, distance), lit, normal

    def _visibility(
        self, moment: Moment, points: F32, normal: F32, distance: F32, leafy: NDArray[np.bool_]
    ) -> tuple[F32, F32]:
        """Share of sun light (0 or 1) and of sky light (0..1, by the height of what is above) at points."""
        lift = (LIFT + 2e-4 * distance)[:, None] * normal
        starts = np.ascontiguousarray(points + lift, dtype=np.float32)
        lit = np.zeros(len(points), np.float32)
        awake = np.flatnonzero(_dot(normal, self._sun) > np.where(leafy, -BACKLIGHT / (1 - BACKLIGHT), 0))
        rays = np.tile(self._sun, (len(awake), 1))
        lit[awake] = ~moment.blocked(starts[awake], rays, np.full(len(awake), SHADOW_REACH, np.float32))
        open_sky = np.full(len(points), LEAF_SKY, np.float32)
        firm = np.flatnonzero(~leafy)
        upward = normal[firm] * np.float32(0.55) + np.array([0, 0, 1.0], np.float32)
        reach = moment.reach(starts[firm], upward, np.full(len(firm), SHELTER, np.float32))
        open_sky[firm] = 0.42 + 0.58 * (reach / SHELTER) ** 0.6
        return lit, open_sky

    def _mirror(self, view: F32, normal: F32, gloss: F32, lit: F32) -> F32:
        """Light of sky, sun and street mirrored in paint and glass, stronger at grazing angles."""
        facing = np.maximum(-np.einsum("nc,nc->n", view, normal), 0)
        bounce = view + 2 * facing[:, None] * normal
        share = gloss * (0.35 + 0.65 * (1 - facing) ** 3)
        rise = np.clip(bounce[:, 2:] * 2.5 + 0.35, 0, 1)
        style = self._style
        street = np.array(style.bounce, np.float32) * np.float32(0.7)
        sky = np.array(style.horizon, np.float32) * 0.75
        light = street + rise * (sky - street)
        spark = np.maximum(_dot(bounce, self._sun), 0) ** 120 * lit * 5
        return np.asarray(share[:, None] * (light + spark[:, None] * np.array(style.sun, np.float32)), np.float32)

    def _hazed(self, color: F32, distance: F32) -> F32:
        style = self._style
        veil = (1 - np.exp(-np.float32(style.haze) * distance))[:, None]
        return np.asarray(color + veil * (np.array(style.horizon, np.float32) * np.float32(0.85) - color), np.float32)

    def sky(self, view: F32, spread: float) -> F32:
        """Colour of the sky along unit directions [N, 3]: a gradient, a glow around the sun, clouds on a high plane."""
        style = self._style
        rise = np.clip(view[:, 2:], 0, 1)
        zenith, horizon = np.array(style.zenith, np.float32), np.array(style.horizon, np.float32)
        color = zenith + (horizon - zenith) * (1 - rise) ** np.float32(4.5)
        flat = np.maximum(view[:, 2], 0.02)
        uv = view[:, :2] / (flat[:, None] + 0.12)
        texture = np.full(len(view), CLOUDS, np.int16)
        amount = self._atlas.sample(
            texture, uv.astype(np.float32), np.float32(spread) / (flat + np.float32(0.12)) ** 2
        )[:, :1]
        cover = np.clip((amount - (1 - style.cover)) / 0.32, 0, 1)
        cover = cover * cover * (3 - 2 * cover) * np.clip(rise * 6, 0, 1)
        shade = 1.0 - 0.22 * np.clip((amount - 0.6) * 2, 0, 1)
        color += cover * (np.array(style.cloud, np.float32) * shade - color)
        glow = np.maximum(_dot(view, self._sun), 0)[:, None]
        color += (0.30 * glow**8 + 0.5 * glow**90) * np.array(style.sun, np.float32) * np.float32(0.35)
        return np.asarray(color, np.float32)


def _dot(vectors: F32, direction: F32) -> F32:
    return np.asarray(vectors[:, 0] * direction[0] + vectors[:, 1] * direction[1] + vectors[:, 2] * direction[2])
