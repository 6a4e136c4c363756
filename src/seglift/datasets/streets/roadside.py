"""What stands on the sidewalks and along the curbs: lamps, trees, signs, signals, small furniture, parked vehicles."""

from __future__ import annotations

import numpy as np

from seglift.datasets.streets import furniture, two_wheelers, vehicles
from seglift.datasets.streets.barriers import railing
from seglift.datasets.streets.classes import BICYCLE, CAR, MOTORCYCLE, TERRAIN, TRUCK
from seglift.datasets.streets.ground import CURB
from seglift.datasets.streets.lots import Garden
from seglift.datasets.streets.mesh import Mesh, Surface, scaled
from seglift.datasets.streets.motion import frozen
from seglift.datasets.streets.numbering import Numbers
from seglift.datasets.streets.plan import HALF_CROSS, HALF_ROAD, Plan
from seglift.datasets.streets.primitives import rectangle
from seglift.datasets.streets.styles import StreetStyle

SIGNS = ("sign_limit", "sign_no_entry", "sign_give_way", "sign_parking", "sign_crossing", "sign_direction")
PARKING = HALF_ROAD - 1.05
CORNER_POLE = 4.0


def roadside(rng: np.random.Generator, style: StreetStyle, plan: Plan, numbers: Numbers) -> list[Mesh]:
    """All meshes that stand still outside the lots."""
    garden = Garden(rng, style)
    parts: list[Mesh] = []
    for index, (y0, y1) in enumerate(plan.blocks()):
        low = y0 + 6.0 * (index > 0)
        high = y1 - 6.0 * (index < len(plan.crossings))
        for side in (-1, 1):
            parts += _verge(rng, style, plan, garden, side, low, high)
            parts += _parked(rng, style, numbers, side, low + 5.5, high - 5.5)
    for center in plan.crossings:
        parts += _signals(rng, plan, center)
        parts += _cross_street(rng, style, plan, garden, center)
    return parts


def _verge(
    rng: np.random.Generator, style: StreetStyle, plan: Plan, garden: Garden, side: int, low: float, high: float
) -> list[Mesh]:
    """The kerb-side strip of a sidewalk: a site every 4 m holds a tree, a lamp, a sign or something small."""
    parts: list[Mesh] = []
    pit = Surface("grass", scaled(style.bark, 0.8), TERRAIN)
    for step, y in enumerate(np.arange(low + 1.5 + (2 if side > 0 else 0), high, 4.0)):
        x = side * (HALF_ROAD + 0.75)
        inward = -np.pi / 2 * side
        if step % 6 == 0:
            parts.append(furniture.street_lamp().placed(side * (HALF_ROAD + 0.4), y, CURB, inward))
        elif step % 2 == 1 and rng.random() < style.trees:
            parts.append(garden.tree(rng, x, y))
            parts.append(rectangle(x - 0.55, y - 0.55, x + 0.55, y + 0.55, CURB + 0.005, pit))
        elif rng.random() < 0.55:
            parts.append(_small(rng, plan, side, y))
    return parts


def _small(rng: np.random.Generator, plan: Plan, side: int, y: float) -> Mesh:
    x = side * (HALF_ROAD + 0.5)
    facing = 0.0 if side > 0 else np.pi
    kind = rng.random()
    if kind < 0.55:
        return furniture.sign(str(rng.choice(SIGNS))).placed(x, y, CURB, facing + float(rng.normal(0, 0.08)))
    if kind < 0.70:
        return furniture.bin_().placed(x, y, CURB, -np.pi / 2 * -side)
    if kind < 0.82:
        return furniture.bollard().placed(x, y, CURB)
    if kind < 0.94:
        return furniture.bench().placed(side * (plan.building_line - 0.5), y, CURB, -np.pi / 2 * side)
    return furniture.bus_stop().placed(side * (HALF_ROAD + 1.2), y, CURB, -np.pi / 2 * side)


def _parked(
    rng: np.random.Generator, style: StreetStyle, numbers: Numbers, side: int, low: float, high: float
) -> list[Mesh]:
    """Vehicles in the parking strip, nose with the traffic, and two-wheelers on the sidewalk."""
    parts = []
    y = low + rng.uniform(0, 3)
    while y < high - 2.5:
        kind = rng.random()
        if kind < 0.68:
            mesh, length = frozen(vehicles.car(rng, style.cars)).numbered({CAR: numbers.take(CAR)}), 5.9
        elif kind < 0.72:
            mesh, length = frozen(vehicles.truck(rng, style.cars)).numbered({TRUCK: numbers.take(TRUCK)}), 8.6
            y += 1.4
        else:
            y += rng.uniform(2.5, 7.0)
            continue
        heading = (0.0 if side > 0 else np.pi) + float(rng.normal(0, 0.015))
        parts.append(mesh.placed(side * (PARKING + float(rng.normal(0, 0.06))), y, 0, heading))
        y += length + rng.uniform(0, 0.9)
    for y in rng.uniform(low, high, max(1, int((high - low) / 28))):
        if rng.random() < 0.7:
            mesh = frozen(two_wheelers.bicycle(rng, style.cars)).numbered({BICYCLE: numbers.take(BICYCLE)})
        else:
            mesh = frozen(two_wheelers.motorcycle(rng, style.cars)).numbered({MOTORCYCLE: numbers.take(MOTORCYCLE)})
        parts.append(mesh.placed(side * (HALF_ROAD + 1.15), y, CURB, float(rng.uniform(0.9, 1.3)) * side))
    return parts


def _signals(rng: np.random.Generator, plan: Plan, center: float) -> list[Mesh]:
    """Traffic lights of the four arms, signs and guard rails at the corners."""
    state, other = ("red", "green") if plan.ego == "standing" else ("green", "red")
    x, y = HALF_ROAD + 0.7, HALF_CROSS + CORNER_POLE
    parts = [
        furniture.traffic_light(state, 4.2).placed(x, center - y, CURB, 0.0),
        furniture.traffic_light(state, 4.2).placed(-x, center + y, CURB, np.pi),
        furniture.traffic_light(state).placed(-x, center - y, CURB, 0.0),
        furniture.traffic_light(state).placed(x, center + y, CURB, np.pi),
    ]
    across = HALF_ROAD + CORNER_POLE
    parts += [
        furniture.traffic_light(other).placed(across, center + HALF_CROSS + 0.6, CURB, np.pi / 2),
        furniture.traffic_light(other).placed(-across, center - HALF_CROSS - 0.6, CURB, -np.pi / 2),
        furniture.sign("sign_direction").placed(HALF_ROAD + 0.6, center + HALF_CROSS + 4.6, CURB, 0.0),
        furniture.sign("sign_give_way").placed(-HALF_ROAD - 0.6, center + HALF_CROSS + 4.6, CURB, np.pi),
    ]
    for side in (-1, 1):
        if rng.random() < 0.6:
            rail = railing(4.0)
            parts.append(rail.placed(side * (HALF_ROAD + 0.25), center - HALF_CROSS - 8.5, CURB, np.pi / 2))
        for end in (-1, 1):
            for shift in (0.0, 1.3):
                at = center + end * (HALF_CROSS + 0.45)
                parts.append(furniture.bollard().placed(side * (HALF_ROAD + 4.3 + shift), at, CURB))
    return parts


def _cross_street(
    rng: np.random.Generator, style: StreetStyle, plan: Plan, garden: Garden, center: float
) -> list[Mesh]:
    """Trees and lamps along a cross street."""
    parts: list[Mesh] = []
    for side in (-1, 1):
        for end in (-1, 1):
            for step, x in enumerate(np.arange(HALF_ROAD + 9, plan.reach - 2, 7.0)):
                y = center + end * (HALF_CROSS + 0.75)
                if step % 4 == 1:
                    facing = 0.0 if end > 0 else np.pi
                    parts.append(furniture.street_lamp().placed(side * x, y, CURB, facing))
                elif rng.random() < style.trees:
                    parts.append(garden.tree(rng, side * x, y))
    return parts
