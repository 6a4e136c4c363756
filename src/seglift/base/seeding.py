"""Random numbers that depend on the seed and on names, never on the order in which things run."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed (0 <= s < 2**63) for the part of the work called ``names``, independent of every other part's."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator for the part of the work called ``names``."""
    return np.random.default_rng(derive_seed(seed, *names))
