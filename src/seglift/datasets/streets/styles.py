"""Looks of the street: light, air, palettes, texture grit and planting, one value type per style."""

from __future__ import annotations

from dataclasses import dataclass

from seglift.datasets.streets.mesh import Color


@dataclass(frozen=True)
class StreetStyle:
    """One look; colours are linear RGB.

    Attributes:
        name: its name.
        sun, sky, bounce: light of the sun, of the sky from above and of the ground from below.
        sun_height: lowest and highest elevation of the sun, degrees.
        zenith, horizon: colours of the sky; cloud: colour of clouds; cover: share of the sky they take, 0..1.
        haze: share of light lost per metre of air.
        exposure: gain before tone mapping; saturation: 1 keeps colours; contrast: slope around middle grey.
        cast: colour cast of the camera.
        noise: (read noise, shot noise) standard deviations in grey levels of 255, the second at white.
        grit: contrast of dirt in textures.
        plaster, brick, roofs, cars, clothes: palettes.
        leaf, grass, bark, asphalt, paving: colours.
        trees: share of tree sites planted; gardens: share of lots that are houses with gardens.
        floors: least and most upper floors of town houses.
    """

    name: str
    sun: Color
    sky: Color
    bounce: Color
    sun_height: tuple[float, float]
    zenith: Color
    horizon: Color
    cloud: Color
    cover: float
    haze: float
    exposure: float
    saturation: float
    contrast: float
    cast: Color
    noise: tuple[float, float]
    grit: float
    plaster: tuple[Color, ...]
    brick: tuple[Color, ...]
    roofs: tuple[Color, ...]
    cars: tuple[Color, ...]
    clothes: tuple[Color, ...]
    leaf: tuple[Color, ...]
    grass: Color
    bark: Color
    asphalt: Color
    paving: Color
    trees: float
    gardens: float
    floors: tuple[int, int]


DAYLIGHT = StreetStyle(
    name="daylight",
    sun=(2.7, 2.45, 2.0),
    sky=(0.78, 0.88, 1.02),
    bounce=(0.38, 0.35, 0.31),
    sun_height=(38, 58),
    zenith=(0.26, 0.46, 0.82),
    horizon=(0.78, 0.86, 0.95),
    cloud=(1.05, 1.05, 1.06),
    cover=0.45,
    haze=0.0022,
    exposure=0.92,
    saturation=1.0,
    contrast=1.07,
    cast=(1.0, 1.0, 0.97),
    noise=(1.2, 2.4),
    grit=1.0,
    plaster=(
        (0.62, 0.56, 0.44),
        (0.66, 0.62, 0.54),
        (0.58, 0.42, 0.30),
        (0.52, 0.53, 0.50),
        (0.68, 0.60, 0.40),
        (0.60, 0.44, 0.38),
    ),
    brick=((0.36, 0.15, 0.10), (0.42, 0.22, 0.14), (0.30, 0.14, 0.11), (0.44, 0.32, 0.22)),
    roofs=((0.34, 0.12, 0.07), (0.24, 0.10, 0.07), (0.10, 0.10, 0.11), (0.26, 0.15, 0.10)),
    cars=(
        (0.03, 0.03, 0.035),
        (0.55, 0.56, 0.57),
        (0.28, 0.29, 0.31),
        (0.72, 0.72, 0.70),
        (0.05, 0.09, 0.22),
        (0.36, 0.04, 0.03),
        (0.09, 0.11, 0.13),
        (0.10, 0.18, 0.12),
    ),
    clothes=(
        (0.04, 0.05, 0.09),
        (0.10, 0.10, 0.11),
        (0.35, 0.07, 0.06),
        (0.10, 0.16, 0.34),
        (0.40, 0.37, 0.30),
        (0.14, 0.22, 0.14),
    ),
    leaf=((0.13, 0.21, 0.055), (0.10, 0.18, 0.06), (0.17, 0.22, 0.05), (0.09, 0.15, 0.05)),
    grass=(0.17, 0.24, 0.07),
    bark=(0.17, 0.13, 0.095),
    asphalt=(0.155, 0.155, 0.16),
    paving=(0.36, 0.34, 0.31),
    trees=0.75,
    gardens=0.25,
    floors=(2, 4),
)

GAME = StreetStyle(
    name="game",
    sun=(3.0, 2.45, 1.6),
    sky=(0.55, 0.68, 0.98),
    bounce=(0.36, 0.30, 0.22),
    sun_height=(30, 44),
    zenith=(0.07, 0.24, 0.72),
    horizon=(0.62, 0.80, 1.0),
    cloud=(1.15, 1.08, 1.0),
    cover=0.25,
    haze=0.0008,
    exposure=0.95,
    saturation=1.3,
    contrast=1.14,
    cast=(1.06, 1.0, 0.92),
    noise=(0.0, 0.0),
    grit=0.45,
    plaster=(
        (0.80, 0.74, 0.62),
        (0.78, 0.48, 0.30),
        (0.50, 0.60, 0.68),
        (0.82, 0.80, 0.76),
        (0.74, 0.66, 0.34),
        (0.46, 0.62, 0.52),
    ),
    brick=((0.48, 0.16, 0.09), (0.55, 0.30, 0.18), (0.40, 0.20, 0.15)),
    roofs=((0.42, 0.14, 0.07), (0.14, 0.15, 0.18), (0.20, 0.24, 0.28)),
    cars=(
        (0.70, 0.05, 0.03),
        (0.02, 0.02, 0.02),
        (0.85, 0.85, 0.85),
        (0.03, 0.16, 0.55),
        (0.80, 0.48, 0.03),
        (0.05, 0.32, 0.12),
        (0.35, 0.36, 0.38),
    ),
    clothes=(
        (0.60, 0.08, 0.06),
        (0.06, 0.20, 0.55),
        (0.85, 0.80, 0.70),
        (0.10, 0.10, 0.10),
        (0.75, 0.50, 0.08),
        (0.12, 0.40, 0.20),
    ),
    leaf=((0.10, 0.26, 0.03), (0.16, 0.30, 0.04), (0.07, 0.20, 0.05)),
    grass=(0.14, 0.32, 0.05),
    bark=(0.22, 0.14, 0.08),
    asphalt=(0.115, 0.118, 0.125),
    paving=(0.46, 0.43, 0.38),
    trees=0.5,
    gardens=0.12,
    floors=(3, 7),
)

STYLES: dict[str, StreetStyle] = {style.name: style for style in (DAYLIGHT, GAME)}
