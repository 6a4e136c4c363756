"""Everything that moves: cars, trucks, buses and trams, cyclists, pedestrians. Nothing crosses the camera car's way."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets.classes import BICYCLE, BUS, CAR, MOTORCYCLE, PERSON, RIDER, TRAIN, TRUCK
from seglift.datasets.streets.ground import CURB
from seglift.datasets.streets.mesh import placement
from seglift.datasets.streets.motion import Motion, Part, carried, fixed, numbered
from seglift.datasets.streets.numbering import Numbers
from seglift.datasets.streets.people import walker
from seglift.datasets.streets.plan import EGO_LANE, HALF_CROSS, HALF_ROAD, OTHER_LANE, Plan
from seglift.datasets.streets.styles import StreetStyle
from seglift.datasets.streets.two_wheelers import cyclist, motorcyclist
from seglift.datasets.streets.vehicles import bus, car, truck

CROSS_LANE = 1.6
BIKE_LANE = 2.85


def along(x: float, y: float, z: float, heading: float, speed: float) -> Motion:
    """Straight on at constant speed."""
    if speed == 0:
        return fixed(placement(x, y, z, heading))
    return lambda time: placement(x - np.sin(heading) * speed * time, y + np.cos(heading) * speed * time, z, heading)


def traffic(rng: np.random.Generator, style: StreetStyle, plan: Plan, numbers: Numbers) -> list[Part]:
    """All moving parts of a clip."""
    drive = _Drivers(rng, style, numbers)
    parts = _ahead(rng, plan, drive) + _oncoming(rng, plan, drive) + _crossing_traffic(rng, plan, drive)
    return parts + _bikes(rng, plan, drive) + _walkers(rng, plan, drive)


class _Drivers:
    """Makes numbered road users that drive along a straight line."""

    def __init__(self, rng: np.random.Generator, style: StreetStyle, numbers: Numbers) -> None:
        self.rng, self.style, self.numbers = rng, style, numbers

    def place(self, parts: list[Part], labels: tuple[int, ...], base: Motion) -> list[Part]:
        return carried(numbered(parts, {label: self.numbers.take(label) for label in labels}), base)

    def vehicle(self, base: Motion, speed: float, large: float = 0.0) -> list[Part]:
        """A car, or with probability ``large`` a truck, a bus or a motorcyclist."""
        kind = self.rng.random()
        if kind < large * 0.4:
            return self.place(truck(self.rng, self.style.cars, speed), (TRUCK,), base)
        if kind < large * 0.75:
            return self.place(bus(self.rng, self.style.cars, speed), (BUS,), base)
        if kind < large:
            return self.place(
                motorcyclist(self.rng, self.style.cars, self.style.clothes, speed), (MOTORCYCLE, RIDER), base
            )
        return self.place(car(self.rng, self.style.cars, speed), (CAR,), base)

    def tram(self, base: Motion, speed: float) -> list[Part]:
        return self.place(bus(self.rng, self.style.cars, speed, TRAIN), (TRAIN,), base)

    def bike(self, base: Motion, speed: float) -> list[Part]:
        return self.place(cyclist(self.rng, self.style.cars, self.style.clothes, speed), (BICYCLE, RIDER), base)

    def person(self, base: Motion, speed: float) -> list[Part]:
        return self.place(walker(self.rng, self.style.clothes, speed), (PERSON,), base)


def _ahead(rng: np.random.Generator, plan: Plan, drive: _Drivers) -> list[Part]:
    """Cars in the camera car's lane, never slower than it; beyond the crossing where it turns or waits."""
    start = {"forward": 0.0, "turning": plan.crossings[0] + 6.0, "standing": plan.crossings[0] + 10.0}[plan.ego]
    speed = plan.speed if plan.ego == "forward" else float(rng.uniform(6, 9))
    parts: list[Part] = []
    y = start + rng.uniform(15, 32)
    for _ in range(3):
        speed *= float(rng.uniform(1.0, 1.06))
        parts += drive.vehicle(along(EGO_LANE, y, 0, 0.0, speed), speed, large=0.22)
        y += rng.uniform(16, 40)
    return parts


def _oncoming(rng: np.random.Generator, plan: Plan, drive: _Drivers) -> list[Part]:
    """Cars in the other lane; they wait behind the crossing while the camera car turns left or the signal is red."""
    waits = plan.ego == "standing" or (plan.ego == "turning" and plan.turn > 0)
    speed = 0.0 if waits else float(rng.uniform(6, 11))
    y = plan.crossings[0] + HALF_CROSS + 8.5 if waits else float(rng.uniform(14, 34))
    last = min(plan.end, plan.crossings[0] + 60) if waits else plan.end + speed * plan.duration
    tram = rng.random() < 0.22
    parts: list[Part] = []
    while y < last:
        base = along(OTHER_LANE, y + (9.5 if tram else 0.0), 0, np.pi, speed)
        parts += drive.tram(base, speed) if tram else drive.vehicle(base, speed, large=0.3)
        y += (24.0 if tram else 0.0) + (rng.uniform(13.5, 16) if waits else rng.uniform(18, 42))
        tram = False
    return parts


def _crossing_traffic(rng: np.random.Generator, plan: Plan, drive: _Drivers) -> list[Part]:
    """Cars in the cross streets: flowing while the camera car stands at red, else waiting at their stop lines."""
    parts: list[Part] = []
    for center in plan.crossings:
        for side in (-1, 1):
            heading = np.pi / 2 * side
            y = center + side * CROSS_LANE
            if plan.ego == "standing":
                speed = float(rng.uniform(6, 9))
                x = rng.uniform(-18, 6)
                while x < plan.reach - 8:
                    parts += drive.vehicle(along(side * x, y, 0, heading, speed), speed, large=0.2)
                    x += rng.uniform(13.5, 24)
            elif rng.random() < 0.8:
                parts += drive.vehicle(along(side * (HALF_ROAD + 8.6), y, 0, heading, 0.0), 0.0, large=0.15)
    if plan.ego == "turning":
        speed = float(rng.uniform(5.5, 8))
        side = -plan.turn
        base = along(side * rng.uniform(18, 26), plan.crossings[0] - side * EGO_LANE, 0, -np.pi / 2 * side, speed)
        parts += drive.vehicle(base, speed, large=0.1)
    return parts


def _bikes(rng: np.random.Generator, plan: Plan, drive: _Drivers) -> list[Part]:
    """Cyclists at the edge of the lanes."""
    parts: list[Part] = []
    free = plan.ego == "forward"
    first = 10.0 if free else plan.crossings[0] + HALF_CROSS + 2
    for y in first + np.cumsum(rng.uniform(5, 26, 2)):
        speed = float(rng.uniform(3.8, 5.5))
        parts += drive.bike(along(BIKE_LANE, float(y), 0, 0.0, speed), speed)
    oncoming = plan.ego == "forward" or plan.turn < 0
    for y in rng.uniform(12, 60, 2 if oncoming else 0):
        speed = float(rng.uniform(3.8, 5.5))
        parts += drive.bike(along(-BIKE_LANE - 0.1, float(y), 0, np.pi, speed), speed)
    if plan.ego == "standing":
        for side in (-1, 1):
            speed = float(rng.uniform(3.5, 5))
            base = along(side * rng.uniform(2, 14), plan.crossings[0] + side * 3.4, 0, np.pi / 2 * side, speed)
            parts += drive.bike(base, speed)
    return parts


def _walkers(rng: np.random.Generator, plan: Plan, drive: _Drivers) -> list[Part]:
    """People on the sidewalks, some standing, and on the zebra before a waiting camera car."""
    parts: list[Part] = []

    def lane() -> float:
        return HALF_ROAD + float(rng.uniform(1.7, plan.sidewalk - 0.45))

    for side in (-1, 1):
        y = float(rng.uniform(5, 12))
        while y < min(plan.end, plan.speed * plan.duration * (plan.ego == "forward") + 75):
            speed = 0.0 if rng.random() < 0.18 else float(rng.uniform(0.9, 1.7))
            heading = float(rng.choice([0.0, np.pi])) if speed else float(rng.uniform(0, 2 * np.pi))
            inside = all(
                abs(y + np.cos(heading) * speed * t - c) > HALF_CROSS
                for c in plan.crossings
                for t in (0, plan.duration)
            )
            if inside:
                parts += drive.person(along(side * lane(), y, CURB, heading, speed), speed)
            y += float(rng.choice([rng.uniform(0.8, 1.2), rng.uniform(4, 15)]))
    if plan.ego == "standing":
        for x in rng.uniform(-HALF_ROAD - 2, HALF_ROAD + 2, 5):
            speed, side = float(rng.uniform(0.9, 1.6)), int(rng.choice([-1, 1]))
            y = plan.crossings[0] - HALF_CROSS - float(rng.uniform(1.0, 3.6))
            parts += drive.person(along(float(x), y, 0.0, np.pi / 2 * side, speed), speed)
    else:
        for side in (-1, 1):
            y = plan.crossings[0] + HALF_CROSS + 1.5
            parts += drive.person(along(side * (HALF_ROAD + 0.8), y, CURB, np.pi / 2 * side, 0.0), 0.0)
    return parts
