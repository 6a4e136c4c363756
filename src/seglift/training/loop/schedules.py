"""Learning-rate schedules: pure functions from the share of training done to a factor of the peak learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[float], float]


def constant(share: float) -> float:
    """1 at any ``share``."""
    return 1.0


def poly(share: float, power: float = 0.9) -> float:
    """(1 - share) ** power, the decay of DeepLab (Chen et al., TPAMI 2018, section 4.1)."""
    return float((1.0 - share) ** power)


def cosine(share: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, "SGDR", ICLR 2017, Eq. 5 without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


def one_cycle(share: float, rise: float = 0.25, first: float = 0.04) -> float:
    """Half a cosine from ``first`` up to 1 over the share ``rise``, then half a cosine down to 0.

    After Smith and Topin, "Super-Convergence" (2017); cosine flanks instead of straight ones.
    """
    if share < rise:
        return first + (1.0 - first) * (1.0 - cosine(share / rise))
    return cosine((share - rise) / (1.0 - rise))


def warmup_cosine(share: float, rise: float = 0.1, last: float = 0.005) -> float:
    """A straight line up to 1 over the share ``rise``, then half a cosine down to ``last``."""
    if share < rise:
        return max(share, 1e-3) / rise
    return last + (1.0 - last) * cosine((share - rise) / (1.0 - rise))


def multistep(share: float, milestones: Sequence[float] = (0.5, 0.9), factor: float = 0.1) -> float:
    """1, times ``factor`` at each of ``milestones`` that lies behind; the defaults are epochs 250 and 450 of 500.

    So the released SDC-Net of Zhu et al. (CVPR 2019) was trained.
    """
    return float(factor ** sum(share >= milestone for milestone in milestones))


def warmup(step: int, steps: int, first: float) -> float:
    """A straight line from ``first`` at step 0 up to 1 at step ``steps``, then 1."""
    return 1.0 if step >= steps else first + (1.0 - first) * step / steps


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "poly": poly,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "warmup_cosine": warmup_cosine,
    "multistep": multistep,
}
