"""The photometric threshold that a refiner was trained with: what it denoises should have been made alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seglift.base.errors import UserError


def trained_tau(refiner: Path) -> str | None:
    """Tau of the labels that a refiner learnt from, as ``--tau`` takes it: a number (0..255 units) or ``inf``.

    Args:
        refiner: folder or file of a training of ``kind: refiner``.

    Returns:
        None where the file does not say, or is none of a refiner: whoever loads it says what is wrong.

    Raises:
        UserError: it says something that is no threshold.
    """
    from seglift.base.weights import BEST_NAME, load_weights  # loads torch, which most commands do without

    file = refiner / BEST_NAME if refiner.is_dir() else refiner
    try:
        _, metadata = load_weights(file)
    except UserError:
        return None
    pairs: Any = metadata.get("pairs")
    if not isinstance(pairs, dict) or pairs.get("tau") is None:
        return None
    try:
        tau = float(pairs["tau"])
    except (TypeError, ValueError):
        tau = -1.0
    if not tau >= 0:
        raise UserError(f"{file} was trained with tau {pairs['tau']!r}, expected a number or inf; give --tau")
    return str(tau)
