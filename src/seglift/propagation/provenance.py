"""Where a label came from: the values of OUT/provenance/STEM.png."""

from __future__ import annotations

HUMAN, EARLIER, LATER, MODEL, REFINER, NONE = range(6)
PROVENANCE_NAMES = ("human", "earlier", "later", "model", "refiner", "none")
"""Drawn by a human; carried from the earlier or the later keyframe; a model's; a refiner's; nobody's."""
