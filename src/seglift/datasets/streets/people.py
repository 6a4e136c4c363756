"""Walking, standing and riding people built from rigid limbs. Local frame: +y forward, feet at z = 0, 1.75 m tall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seglift.datasets.streets.classes import PERSON, RIDER
from seglift.datasets.streets.mesh import Color, Floats, Mesh, Surface, merge
from seglift.datasets.streets.motion import Motion, Part, attached, fixed, swing
from seglift.datasets.streets.primitives import ball, block, loft, tube

HIP, KNEE, SHOULDER = 0.90, 0.45, 1.40
SKINS: tuple[Color, ...] = ((0.58, 0.38, 0.28), (0.48, 0.29, 0.19), (0.22, 0.12, 0.07), (0.62, 0.44, 0.34))
HAIRS: tuple[Color, ...] = ((0.03, 0.02, 0.015), (0.12, 0.06, 0.03), (0.35, 0.25, 0.12), (0.4, 0.4, 0.4))


@dataclass(frozen=True)
class Clothes:
    """Colours of one person."""

    top: Color
    trousers: Color
    skin: Color
    hair: Color
    bag: bool
    skirt: bool


def dress(rng: np.random.Generator, palette: tuple[Color, ...]) -> Clothes:
    """Random clothes from a palette."""
    top, trousers = (palette[int(i)] for i in rng.integers(len(palette), size=2))
    skin, hair = SKINS[int(rng.integers(len(SKINS)))], HAIRS[int(rng.integers(len(HAIRS)))]
    return Clothes(top, trousers, skin, hair, bool(rng.random() < 0.35), bool(rng.random() < 0.2))


def _trunk(clothes: Clothes, label: int, bag: bool) -> Mesh:
    """Torso and head with the hip at the origin."""
    cloth, skin, hair = (Surface("plain", color, label) for color in (clothes.top, clothes.skin, clothes.hair))
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    rows = [
        (-0.06, 0.155, 0.115),
        (0.08, 0.15, 0.11),
        (0.30, 0.18, 0.125),
        (0.46, 0.205, 0.12),
        (0.54, 0.16, 0.09),
        (0.57, 0.06, 0.06),
    ]
    rings = [np.stack([rx * np.cos(angle), ry * np.sin(angle), np.full(10, z)], axis=1) for z, rx, ry in rows]
    parts = [
        loft(np.array(rings), cloth).smoothed(1.0),
        tube([[0, 0, 0.54], [0, 0.01, 0.66]], 0.05, skin, 8),
        ball((0, 0.015, 0.75), (0.078, 0.098, 0.118), skin),
        ball((0, -0.018, 0.785), (0.088, 0.098, 0.105), hair),
    ]
    if bag:
        parts.append(block((0, -0.19, 0.32), (0.28, 0.16, 0.40), Surface("plain", (0.07, 0.06, 0.05), label)))
    if clothes.skirt and label == PERSON:
        hem = [
            np.stack([rx * np.cos(angle), rx * 0.8 * np.sin(angle), np.full(10, z)], axis=1)
            for z, rx in ((-0.42, 0.24), (0.0, 0.155))
        ]
        parts.append(loft(np.array(hem), Surface("plain", clothes.trousers, label)).smoothed(1.0))
    return merge(parts)


def _thigh(clothes: Clothes, label: int) -> Mesh:
    cloth = Surface("plain", clothes.skin if clothes.skirt else clothes.trousers, label)
    return tube([[0, 0, 0.03], [0, 0, -0.22], [0, 0, -KNEE]], [0.095, 0.08, 0.06], cloth, 8)


def _shin(clothes: Clothes, label: int) -> Mesh:
    cloth = Surface("plain", clothes.skin if clothes.skirt else clothes.trousers, label)
    shoe = Surface("plain", (0.03, 0.028, 0.026), label)
    return merge(
        [
            tube([[0, 0, 0.02], [0, 0, -0.16], [0, 0, -0.42]], [0.062, 0.06, 0.045], cloth, 8),
            block((0, 0.06, -0.42), (0.09, 0.26, 0.07), shoe),
        ]
    )


def _arm(clothes: Clothes, label: int, bend: float) -> Mesh:
    cloth, skin = Surface("plain", clothes.top, label), Surface("plain", clothes.skin, label)
    hand = [0, 0.27 * np.sin(bend), -0.28 - 0.27 * np.cos(bend)]
    return merge(
        [
            tube([[0, 0, 0.02], [0, 0, -0.28], hand], [0.058, 0.048, 0.036], cloth, 7),
            ball(hand, (0.04, 0.045, 0.055), skin, 0),
        ]
    )


def _limb(x: float, height: float, amplitude: float, rate: float, phase: float) -> Motion:
    return lambda time: swing(amplitude * float(np.sin(2 * np.pi * rate * time + phase)), x, 0, height)


def _knee(rate: float, phase: float, amplitude: float) -> Motion:
    def bend(time: float) -> Floats:
        angle = -amplitude * max(0.0, float(np.sin(2 * np.pi * rate * time + phase + 0.9 + np.pi / 2)))
        return swing(angle, 0, 0, -KNEE)

    return bend


def walker(rng: np.random.Generator, palette: tuple[Color, ...], speed: float) -> list[Part]:
    """A person who walks on the spot at ``speed`` metres per second (0 stands); carry it along with a base motion."""
    clothes = dress(rng, palette)
    rate, phase = 0.55 + 0.28 * speed, float(rng.uniform(0, 2 * np.pi))
    stride = 0.0 if speed == 0 else 0.34 + 0.1 * speed
    parts = [Part(_trunk(clothes, PERSON, clothes.bag), fixed(swing(-0.03, 0, 0, HIP)))]
    thigh, shin, arm = _thigh(clothes, PERSON), _shin(clothes, PERSON), _arm(clothes, PERSON, 0.35)
    for side, shift in ((-1, 0.0), (1, np.pi)):
        hip = _limb(side * 0.09, HIP, stride, rate, phase + shift)
        parts.append(Part(thigh, hip))
        parts.append(Part(shin, attached(hip, _knee(rate, phase + shift, 0.75 if speed else 0.0))))
        parts.append(Part(arm, _limb(side * 0.235, SHOULDER, stride * 0.8, rate, phase + shift + np.pi)))
    return parts


def rider(
    clothes: Clothes, saddle: float, crank: tuple[float, float], bars: tuple[float, float], cadence: float
) -> list[Part]:
    """A person who sits on a bicycle or motorcycle.

    Args:
        clothes: what is worn.
        saddle: height of the hip over the ground, at y = -0.22.
        crank: (y, z) of the axle the feet turn around; cadence: turns per second, 0 keeps the feet still.
        bars: (y, z) of the hands.
        cadence: turns of the crank per second.
    """
    hip = (-0.22, saddle)
    lean = -0.42
    parts = [Part(_trunk(clothes, RIDER, False), fixed(swing(lean, 0, *hip)))]
    shoulder = (hip[0] - 0.50 * np.sin(lean), hip[1] + 0.50 * np.cos(lean))
    cloth, skin = Surface("plain", clothes.top, RIDER), Surface("plain", clothes.skin, RIDER)
    thigh, shin = _thigh(clothes, RIDER), _shin(clothes, RIDER)
    for side, shift in ((-1, 0.0), (1, np.pi)):
        elbow = [side * 0.27, (shoulder[0] + bars[0]) / 2, (shoulder[1] + bars[1]) / 2 - 0.06]
        path = [[side * 0.2, *shoulder], elbow, [side * 0.24, *bars]]
        arm = merge([tube(path, [0.056, 0.045, 0.036], cloth, 7), ball(path[2], (0.045, 0.05, 0.045), skin, 0)])
        parts.append(Part(arm, fixed(swing(0, 0, 0, 0))))
        upper, lower = _pedalling(side * 0.1, hip, crank, cadence, shift)
        parts += [Part(thigh, upper), Part(shin, lower)]
    return parts


def _pedalling(
    x: float, hip: tuple[float, float], crank: tuple[float, float], cadence: float, phase: float
) -> tuple[Motion, Motion]:
    """Poses of thigh and shin whose foot follows the pedal: a two-bone chain solved by the law of cosines."""

    def angles(time: float) -> tuple[float, float]:
        turn = -2 * np.pi * cadence * time + phase + 0.4
        dy, dz = crank[0] + 0.16 * np.cos(turn) - hip[0], crank[1] + 0.16 * np.sin(turn) + 0.04 - hip[1]
        reach = min(float(np.hypot(dy, dz)), KNEE + 0.42 - 1e-3)
        inner = np.arccos(np.clip((KNEE**2 + reach**2 - 0.42**2) / (2 * KNEE * reach), -1, 1))
        knee = np.pi - np.arccos(np.clip((KNEE**2 + 0.42**2 - reach**2) / (2 * KNEE * 0.42), -1, 1))
        return float(np.arctan2(dy, -dz) + inner), float(-knee)

    def upper(time: float) -> Floats:
        return swing(angles(time)[0], x, *hip)

    return upper, attached(upper, lambda time: swing(angles(time)[1], 0, 0, -KNEE))
