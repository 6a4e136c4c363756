"""Renders the frames of a street with their exact ground truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import numpy_generator
from seglift.datasets.streets.antialiasing import OFFSETS, rough_pixels
from seglift.datasets.streets.atlas import build_atlas
from seglift.datasets.streets.camera import Camera
from seglift.datasets.streets.classes import EGO_VEHICLE, SKY
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.correspondence import correspond
from seglift.datasets.streets.developing import develop
from seglift.datasets.streets.frame import StreetFrame
from seglift.datasets.streets.hood import Hood, cast_hood
from seglift.datasets.streets.mesh import Floats
from seglift.datasets.streets.scene import Scene, build_scene
from seglift.datasets.streets.shading import Shader
from seglift.datasets.streets.tracing import Hits, Moment

WORKERS = 2
KEPT_INSTANTS = 2 * WORKERS + 2


def render_street(config: StreetConfig, frames: Iterable[int] | None = None) -> Iterator[StreetFrame]:
    """Renders the clip of ``config`` lazily, two frames at a time; memory does not grow with the number of frames.

    Args:
        config: the clip.
        frames: numbers of the frames to render, default all in order; a frame does not depend on which others are.
    """
    renderer = Renderer(build_scene(config))
    with ThreadPoolExecutor(WORKERS) as pool:
        pending: deque[Future[StreetFrame]] = deque()
        for index in range(config.frames) if frames is None else frames:
            pending.append(pool.submit(renderer.frame, index))
            if len(pending) > WORKERS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@dataclass(frozen=True)
class Instant:
    """The scene at one frame's time: camera, movers' corners and normals, and what to trace."""

    camera: Camera
    corners: Floats
    normals: NDArray[np.float32]
    moment: Moment


class Renderer:
    """Renders frames of one scene, in any order; neighbouring frames share their moments.

    Args:
        scene: the street.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._shader = Shader(scene, build_atlas(scene.style.name, scene.style.grit))
        self._instants: dict[int, Instant] = {}
        self._lock = Lock()
        self._hood: Hood | None = None
        if scene.config.hood:
            rng = numpy_generator(scene.config.seed, "streets", "hood")
            paint = scene.style.cars[int(rng.integers(len(scene.style.cars)))]
            self._hood = cast_hood(scene.camera(0), scene.style, paint)

    def frame(self, index: int) -> StreetFrame:
        """Renders frame ``index``."""
        config, faces = self.scene.config, self.scene.faces
        shape = (config.height, config.width)
        now = self._instant(index)
        y, x = (grid.ravel().astype(np.float64) for grid in np.mgrid[0 : config.height, 0 : config.width])
        rays = now.camera.rays(x, y)
        hits = now.moment.first(np.array(now.camera.position), rays)
        labels = np.where(hits.face >= 0, faces.label[hits.face], SKY).astype(np.uint8).reshape(shape)
        instances = np.where(hits.face >= 0, faces.instance[hits.face], SKY).astype(np.uint16).reshape(shape)
        depth = hits.distance.reshape(shape).copy()
        image = self._image(index, now, rays, hits)
        hood = None if self._hood is None else self._hood.mask
        flows, hidden = [], []
        for other in (index - 1, index + 1):
            flow, lost = self._correspondence(now, self._instant(other), rays, hits, hood)
            flows.append(flow)
            hidden.append(lost)
        if self._hood is not None:
            labels[self._hood.mask] = instances[self._hood.mask] = EGO_VEHICLE
            depth[self._hood.mask] = self._hood.depth[self._hood.mask]
        return StreetFrame(index, image, labels, instances, depth, flows[0], flows[1], hidden[0], hidden[1])

    def _instant(self, index: int) -> Instant:
        """The instant of a frame; the last used ones are kept."""
        with self._lock:
            found = self._instants.pop(index, None)
            if found is None:
                corners, normals = self.scene.moved(index)
                found = Instant(self.scene.camera(index), corners, normals, self.scene.moment(corners))
            self._instants[index] = found
            while len(self._instants) > KEPT_INSTANTS:
                self._instants.pop(next(iter(self._instants)))
            return found

    def _correspondence(
        self, now: Instant, other: Instant, rays: NDArray[np.float32], hits: Hits, hood: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Flow and hidden mask from one instant to another, the bonnet standing still in the image."""
        static = self.scene.static_count
        flow, hidden = correspond(now.camera, other.camera, other.moment, other.corners, static, rays, hits)
        if hood is not None:
            height, width = hood.shape
            y, x = np.mgrid[0:height, 0:width]
            column = np.clip(np.floor(x + flow[..., 0] + 0.5), 0, width - 1).astype(int)
            row = np.clip(np.floor(y + flow[..., 1] + 0.5), 0, height - 1).astype(int)
            hidden |= hood[row, column]
            flow[hood] = 0
            hidden[hood] = False
        return flow, hidden

    def _image(self, index: int, now: Instant, rays: NDArray[np.float32], hits: Hits) -> NDArray[np.uint8]:
        """One ray per pixel, three more where the picture is rough."""
        config, camera = self.scene.config, now.camera
        shape = (config.height, config.width)
        origin, spread = np.array(camera.position), 1 / camera.focal
        normals = self._shader.moment_normals(now.normals)
        sample = self._shader.shade(now.moment, normals, origin, rays, hits, spread)
        color = sample.color
        rough = np.flatnonzero(rough_pixels(self.scene.faces, hits, sample, shape))
        if len(rough):
            y, x = np.divmod(rough, config.width)
            points = np.stack([x, y], axis=1)[:, None] + OFFSETS
            finer = camera.rays(points[..., 0].ravel(), points[..., 1].ravel())
            more = self._shader.shade(now.moment, normals, origin, finer, now.moment.first(origin, finer), spread)
            total = color[rough] + more.color.reshape(len(rough), len(OFFSETS), 3).sum(axis=1)
            color[rough] = total / (1 + len(OFFSETS))
        light = color.reshape(*shape, 3)
        if self._hood is not None:
            light[self._hood.mask] = self._hood.color[self._hood.mask]
        rng = numpy_generator(config.seed, "streets", "noise", index) if config.noise else None
        return develop(light, self.scene.style, rng)
