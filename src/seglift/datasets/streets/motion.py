"""Rigid parts that move: poses as functions of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seglift.datasets.streets.mesh import Floats, Mesh, merge

Motion = Callable[[float], Floats]


@dataclass(frozen=True)
class Part:
    """A rigid body and its pose float64 [3, 4] at a time in seconds."""

    mesh: Mesh
    motion: Motion


def compose(outer: Floats, inner: Floats) -> Floats:
    """The pose that applies ``inner`` first and then ``outer``."""
    return np.concatenate([outer[:, :3] @ inner[:, :3], outer[:, :3] @ inner[:, 3:] + outer[:, 3:]], axis=1)


def swing(angle: float, x: float, y: float, z: float) -> Floats:
    """Turns a part about the x axis by ``angle`` (what hangs swings forward) and puts it at (x, y, z)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0, x], [0, c, -s, y], [0, s, c, z]], dtype=np.float64)


def fixed(pose: Floats) -> Motion:
    """A motion that stays at ``pose``."""
    return lambda time: pose


def attached(base: Motion, local: Motion) -> Motion:
    """The motion of something that moves by ``local`` in the frame of ``base``."""
    return lambda time: compose(base(time), local(time))


def frozen(parts: list[Part], time: float = 0.0) -> Mesh:
    """The parts as one mesh, as they stand at ``time``."""
    return merge(part.mesh.transformed(part.motion(time)) for part in parts)


def carried(parts: list[Part], base: Motion) -> list[Part]:
    """The parts, each in the frame of ``base``."""
    return [Part(part.mesh, attached(base, part.motion)) for part in parts]


def numbered(parts: list[Part], numbers: dict[int, int]) -> list[Part]:
    """The parts with instance numbers (see :meth:`Mesh.numbered`)."""
    return [Part(part.mesh.numbered(numbers), part.motion) for part in parts]
