"""Raw Cityscapes ids that the streets use, and their instance encoding."""

from __future__ import annotations

EGO_VEHICLE = 1
STATIC = 4
ROAD = 7
SIDEWALK = 8
BUILDING = 11
WALL = 12
FENCE = 13
POLE = 17
TRAFFIC_LIGHT = 19
TRAFFIC_SIGN = 20
VEGETATION = 21
TERRAIN = 22
SKY = 23
PERSON = 24
RIDER = 25
CAR = 26
TRUCK = 27
BUS = 28
TRAIN = 31
MOTORCYCLE = 32
BICYCLE = 33

THINGS = frozenset({PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE})
INSTANCE_FACTOR = 1000


def instance_id(label: int, number: int) -> int:
    """The Cityscapes ``instanceIds`` value: ``label * 1000 + number`` for a thing, ``label`` for stuff.

    Raises:
        ValueError: ``number`` is outside 0..999.
    """
    if not 0 <= number < INSTANCE_FACTOR:
        raise ValueError(f"instance number {number} is outside 0..{INSTANCE_FACTOR - 1}")
    return label * INSTANCE_FACTOR + number if label in THINGS else label
