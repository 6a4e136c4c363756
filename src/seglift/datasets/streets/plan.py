"""The plan of a street: where the roads run, where they cross, and how the camera car drives. Right-hand traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seglift.base.seeding import numpy_generator
from seglift.datasets.streets.config import StreetConfig

LANE = 3.25
HALF_ROAD = 5.5
HALF_CROSS = 4.5
EGO_LANE = 1.5
OTHER_LANE = -1.65
VIEW = 170.0
Pose = tuple[float, float, float]


@dataclass(frozen=True)
class Plan:
    """What the layout is built around, metres and seconds.

    Attributes:
        ego: "forward", "turning" or "standing"; turn: +1 left, -1 right (turning only).
        speed: of the camera car, metres per second.
        duration: of the clip; path: camera car's (x, y, heading) at a time.
        start, end: ends of the main street along y; crossings: centres of the cross streets.
        reach: length of the cross streets to either side; sidewalk: width.
    """

    ego: str
    turn: int
    speed: float
    duration: float
    path: Callable[[float], Pose]
    start: float
    end: float
    crossings: tuple[float, ...]
    reach: float
    sidewalk: float

    @property
    def building_line(self) -> float:
        """Distance of the lots from the middle of the main street."""
        return HALF_ROAD + self.sidewalk

    def blocks(self) -> list[tuple[float, float]]:
        """Ranges of y between the cross streets' roads."""
        edges = [self.start, *(c + s * HALF_CROSS for c in self.crossings for s in (-1, 1)), self.end]
        return list(zip(edges[::2], edges[1::2], strict=True))


def make_plan(config: StreetConfig) -> Plan:
    """The plan of a clip; equal configurations give equal plans."""
    rng = numpy_generator(config.seed, "streets", "plan")
    ego = (
        config.ego if config.ego != "auto" else str(rng.choice(["forward", "turning", "standing"], p=[0.6, 0.25, 0.15]))
    )
    duration = config.frames / config.rate
    speed = {"forward": rng.uniform(6.0, 9.5), "turning": rng.uniform(4.6, 5.8), "standing": 0.0}[ego]
    turn = int(rng.choice([-1, 1])) if ego == "turning" else 0
    travelled = speed * duration
    first = {"forward": rng.uniform(30, 75), "turning": 0.0, "standing": 14.5}[ego]
    path, reach = _straight(speed), 60.0
    if ego == "turning":
        path, first = _turning(turn, speed, rng.uniform(0.5, 3.0))
        reach = VIEW * 0.6 + travelled
    elif ego == "standing":
        reach = float(min(60.0 + 9.0 * duration, 400.0))
    end = (travelled if ego == "forward" else 0.0) + VIEW
    crossings = [first]
    while crossings[-1] + 125 < end:
        crossings.append(crossings[-1] + float(rng.uniform(70, 100)))
    return Plan(
        ego, turn, float(speed), duration, path, -40.0, end, tuple(crossings), reach, float(rng.uniform(3.3, 4.4))
    )


def _straight(speed: float) -> Callable[[float], Pose]:
    def path(time: float) -> Pose:
        sway = 0.0 if speed == 0 else 0.08
        x = EGO_LANE + sway * float(np.sin(0.9 * time))
        return x, speed * time, -sway * 0.9 * float(np.cos(0.9 * time)) / max(speed, 1.0)

    return path


def _turning(turn: int, speed: float, ahead: float) -> tuple[Callable[[float], Pose], float]:
    """Straight on for ``ahead`` metres, a quarter circle (eased in by clothoid-like blending), straight on again."""
    radius = 7.5 if turn < 0 else 9.5
    lane = -EGO_LANE if turn < 0 else EGO_LANE
    ease = 3.0
    arc = radius * np.pi / 2
    stations = np.linspace(0, ahead + arc + ease, 2000)
    ramp = np.clip((stations - ahead) / ease, 0, 1) - np.clip((stations - ahead - arc) / ease, 0, 1)
    step = stations[1] - stations[0]
    heading = np.concatenate([[0.0], np.cumsum((ramp[1:] + ramp[:-1]) / 2 * step)]) / radius
    heading *= np.pi / 2 / heading[-1] * turn
    middle = (heading[1:] + heading[:-1]) / 2
    xs = EGO_LANE + np.concatenate([[0.0], np.cumsum(-np.sin(middle) * step)])
    ys = np.concatenate([[0.0], np.cumsum(np.cos(middle) * step)])

    def path(time: float) -> Pose:
        s = speed * time
        rest = max(s - float(stations[-1]), 0.0)
        x, y, angle = (float(np.interp(s, stations, values)) for values in (xs, ys, heading))
        return x - rest * float(np.sin(angle)), y + rest * float(np.cos(angle)), angle

    return path, float(ys[-1]) - lane
