"""Whether a folder may take a training: whose it is, what differs from the training there, how far that one came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from seglift.base.errors import UserError
from seglift.base.files import read_json
from seglift.base.weights import METADATA_KEY
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.training.loop.fit_config import RESULT_FREE
from seglift.training.loop.log import EVENTS_FOLDER, METRICS_NAME
from seglift.training.loop.run_files import LAST_NAME, SNAPSHOT_NAME
from seglift.workflows.outputs.lock import LOCK_NAME
from seglift.workflows.recipes.differences import differences
from seglift.workflows.recipes.recipe import read_yaml

RECIPE, RUN, SCORES, CURVES, SKIPPED = "recipe.yaml", "run.json", "scores.json", "curves.png", "skipped.txt"
TAU = "tau.json"
"""Which photometric threshold a refiner's training chose, and by what."""
INDEX, RETURNS = "class_index", "returns"
"""Folders of what is kept for later calls: class indices, and labels that came back to labelled frames."""
PRODUCTS = (WEIGHTS_NAME, LAST_NAME, SNAPSHOT_NAME, METRICS_NAME, RECIPE, RUN, SCORES, CURVES, SKIPPED, TAU)
"""Files of a training."""
LATER = ("classes", "mix_from", "images")
"""Names that recipes have come to know and that say nothing where they are empty: what was begun without goes on."""


def check_own(out: Path, roots: Iterable[Path]) -> None:
    """Refuses a folder that is no training's.

    Args:
        out: need not exist.
        roots: folders of the data.

    Raises:
        UserError: ``out`` is one of ``roots``, or holds files and is no training's folder.
    """
    if out.resolve() in {root.resolve() for root in roots}:
        raise UserError(f"{out} is a folder of the data, expected one for the training alone; choose another --out")
    if not out.is_dir() or _is_training(out):
        return
    ours = {*PRODUCTS, EVENTS_FOLDER, INDEX, RETURNS, LOCK_NAME}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in ours and not path.name.startswith("."))
    if foreign:
        raise UserError(
            f"{out} is not empty and no training's folder (it holds {foreign[0]}), expected a new folder or that of a"
            " training; choose another --out"
        )


def told_differences(out: Path, values: Mapping[str, Any]) -> str:
    """What differs between the training in ``out`` and a recipe, for a person: ``fit.steps 10 -> 12``, or the data.

    Args:
        out: folder of a training.
        values: the recipe as plain values, every default spelt out.
    """
    try:
        known = _shaping(read_yaml(out / RECIPE))
    except UserError:
        return f"see {RECIPE} there"
    # An equal recipe differs in the images that its folders hold.
    return differences(known, _shaping(values), f"{RECIPE} there") or "the data"


def steps_done(out: Path) -> int | None:
    """Steps after which a killed training in ``out`` goes on; None where there is none or its state is damaged."""
    try:
        with safe_open(str(out / SNAPSHOT_NAME), framework="pt", device="cpu") as file:
            step = json.loads(file.metadata()[METADATA_KEY])["progress"]["step"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None


def _is_training(out: Path) -> bool:
    try:
        record = read_json(out / RUN) if (out / RUN).is_file() else None
    except UserError:
        return False
    return isinstance(record, dict) and "meaning" in record


def _shaping(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without those that shape no weights, and without folders."""
    found: dict[str, Any] = without_roots(values)
    if isinstance(fit := found.get("fit"), Mapping):
        found["fit"] = {name: value for name, value in fit.items() if name not in RESULT_FREE}
    return found


def without_roots(values: Any) -> Any:
    """Plain values without where the data lie, which may move, and without empty ones of :data:`LATER`."""
    if isinstance(values, Mapping):
        told = {name: value for name, value in values.items() if name != "root" and (value or name not in LATER)}
        return {name: without_roots(value) for name, value in told.items()}
    return [without_roots(value) for value in values] if isinstance(values, list | tuple) else values
