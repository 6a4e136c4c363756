"""A whole street, ready to be traced: static faces, moving faces and their poses, light and camera."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import numpy_generator
from seglift.datasets.streets.camera import Camera
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.ground import ground
from seglift.datasets.streets.lots import lots
from seglift.datasets.streets.mesh import Floats, Mesh, merge
from seglift.datasets.streets.motion import Motion
from seglift.datasets.streets.numbering import Numbers
from seglift.datasets.streets.plan import Plan, make_plan
from seglift.datasets.streets.roadside import roadside
from seglift.datasets.streets.styles import STYLES, StreetStyle
from seglift.datasets.streets.tracing import Moment, Tracer, embree
from seglift.datasets.streets.traffic import traffic

EYE_HEIGHT = 1.42
EYE_FORWARD = 0.3
FOCAL = 0.86
HORIZON = 0.46


@dataclass(frozen=True)
class Scene:
    """Everything a clip shows.

    Attributes:
        config, style, plan: where it comes from.
        faces: all faces, the static ones first; those of movers in their parts' own frames.
        static_count: number of static faces.
        part_starts: where each rigid part's faces start among the moving ones, and their number at the end;
            motions: pose of each part over time.
        tracer: of the static faces.
        sun: unit vector towards the sun.
    """

    config: StreetConfig
    style: StreetStyle
    plan: Plan
    faces: Mesh
    static_count: int
    part_starts: tuple[int, ...]
    motions: tuple[Motion, ...]
    tracer: Tracer
    sun: Floats

    def time(self, frame: int) -> float:
        """Seconds of frame ``frame``; frames before 0 and after the last exist too."""
        return frame / self.config.rate

    def camera(self, frame: int) -> Camera:
        """The camera of a frame: behind the windscreen, nodding slightly while the car drives."""
        time = self.time(frame)
        x, y, heading = self.plan.path(time)
        moving = float(self.plan.speed > 0)
        nod = moving * 0.0022 * float(np.sin(7.3 * time) + 0.6 * np.sin(12.1 * time + 1.0))
        lift = moving * 0.012 * float(np.sin(6.1 * time + 0.4))
        position = (
            x - EYE_FORWARD * float(np.sin(heading)),
            y + EYE_FORWARD * float(np.cos(heading)),
            EYE_HEIGHT + lift,
        )
        return Camera(position, heading, nod, self.config.height, self.config.width, FOCAL * self.config.width, HORIZON)

    def moved(self, frame: int) -> tuple[Floats, NDArray[np.float32]]:
        """Corners and shading normals of the moving faces at a frame, float64 and float32 [M, 3, 3]."""
        corners, normals = (
            self.faces.corners[self.static_count :].copy(),
            self.faces.normals[self.static_count :].copy(),
        )
        time = self.time(frame)
        for motion, first, last in zip(self.motions, self.part_starts[:-1], self.part_starts[1:], strict=True):
            pose = motion(time)
            corners[first:last] = np.einsum("fkc,dc->fkd", corners[first:last], pose[:, :3]) + pose[:, 3]
            normals[first:last] = np.einsum("fkc,dc->fkd", normals[first:last], pose[:, :3])
        return corners, normals

    def moment(self, corners: Floats) -> Moment:
        """The scene to trace with movers at ``corners`` (of :meth:`moved`)."""
        return Moment(self.tracer, Tracer(corners))


def build_scene(config: StreetConfig) -> Scene:
    """Builds the street of a configuration; equal configurations give equal scenes.

    Raises:
        UserError: Embree, which traces it, is not installed.
    """
    embree()
    style, plan = STYLES[config.style], make_plan(config)
    numbers = Numbers()
    static = [
        ground(numpy_generator(config.seed, "streets", "ground"), style, plan),
        *lots(numpy_generator(config.seed, "streets", "lots"), style, plan),
        *roadside(numpy_generator(config.seed, "streets", "roadside"), style, plan, numbers),
    ]
    parts = traffic(numpy_generator(config.seed, "streets", "traffic"), style, plan, numbers)
    faces = merge([*static, *(part.mesh for part in parts)])
    count = sum(len(mesh) for mesh in static)
    starts = tuple(accumulate((len(part.mesh) for part in parts), initial=0))
    motions = tuple(part.motion for part in parts)
    sun = _sun(numpy_generator(config.seed, "streets", "sun"), style)
    return Scene(config, style, plan, faces, count, starts, motions, Tracer(faces.corners[:count]), sun)


def _sun(rng: np.random.Generator, style: StreetStyle) -> Floats:
    """Rather along the street than across it, so that its light reaches the ground between the houses."""
    height = np.radians(rng.uniform(*style.sun_height))
    azimuth = rng.uniform(0.12, 0.55) * rng.choice([-1, 1]) + (np.pi if rng.random() < 0.75 else 0.0)
    return np.array([np.sin(azimuth) * np.cos(height), np.cos(azimuth) * np.cos(height), np.sin(height)])
