"""What a training leaves beside its weights: what they come from, curves, and which images were left out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import yaml

from seglift import __version__
from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.progress import say
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.report.curves import training_curves
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.log import EVENTS_FOLDER, METRICS_NAME, read_metrics
from seglift.training.loop.run_files import LAST_NAME, SNAPSHOT_NAME, FitResult
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.train.folder import (
    CURVES,
    PRODUCTS,
    RECIPE,
    RUN,
    SKIPPED,
    check_own,
    steps_done,
    told_differences,
    without_roots,
)


class RecordedRecipe(Protocol):
    """A recipe's dataclass, whatever it trains."""

    @property
    def fit(self) -> FitConfig:
        """Length, optimiser, seed."""


@dataclass(frozen=True)
class TrainingRecord:
    """What is kept beside the weights of a training, and tells it from others.

    Attributes:
        recipe: frozen dataclass with every setting.
        names: of the images or clips that it learns from.
        roots: folders of the data.
        about: what the data are, JSON-serialisable.
    """

    recipe: RecordedRecipe
    names: Sequence[str]
    roots: tuple[Path, ...]
    about: dict[str, Any]


def clear(out: Path) -> None:
    """Removes what a training wrote, and nothing else."""
    for name in PRODUCTS:
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / EVENTS_FOLDER, ignore_errors=True)


def check_folder(training: TrainingRecord, out: Path) -> None:
    """Refuses the folder of another training.

    Raises:
        UserError: ``out`` holds weights or a checkpoint of another recipe or of other images.
    """
    record = out / RUN
    if _begun(out) and record.is_file() and read_json(record).get("meaning") != _meaning(training):
        told = told_differences(out, plain_values(training.recipe))
        raise UserError(f"{out} holds another training: {told}; choose another --out, or --overwrite")


def check_place(training: TrainingRecord, out: Path) -> None:
    """Refuses a folder that is not a training's.

    Raises:
        UserError: ``out`` is a folder of the data, or holds files and is no training's folder.
    """
    check_own(out, training.roots)


def say_beginning(out: Path, steps: int) -> None:
    """Says whether a training of so many steps continues an earlier call or has nothing left to do."""
    done = steps_done(out)
    if _finished(out):
        say(f"{out} is already trained; nothing is repeated")
    elif done is not None:
        say(f"{out} continues after step {done} of {steps}")


def say_best(done: FitResult) -> None:
    """Says which step the best weights are from, where there was validation."""
    if done.best_step is not None:
        first = next(iter(done.scores), None)
        score = "" if first is None else f" ({first} {done.scores[first]:.4f} in validation)"
        say(f"the best weights are from step {done.best_step} of {done.steps}{score}")


def describe_run(training: TrainingRecord, out: Path) -> None:
    """Says beside the weights what they come from, as long as they are not finished.

    Raises:
        UserError: ``out`` cannot be written.
    """
    if not _begun(out):
        (out / SKIPPED).unlink(missing_ok=True)
    if _finished(out) and (out / RUN).exists():
        return
    write_bytes(out / RECIPE, yaml.safe_dump(plain_values(training.recipe), sort_keys=False).encode())
    versions = {"seglift": __version__, "torch": torch.__version__}
    described = {"meaning": _meaning(training), "seed": training.recipe.fit.seed, "versions": versions}
    write_json(out / RUN, described | {"data": training.about})


def draw_curves(out: Path) -> None:
    """Draws the columns of ``metrics.csv``, if there are any."""
    rows = read_metrics(out / METRICS_NAME)
    if rows:
        names = [name for name in rows[0] if name not in {"step", "epoch", "seconds"}]
        columns = {name: [float(row[name]) if row[name] else None for row in rows] for name in names}
        write_bytes(out / CURVES, training_curves([int(row["step"]) for row in rows], columns))


def say_skipped(out: Path) -> None:
    """Counts the images that were left out, if any."""
    if (out / SKIPPED).is_file():
        paths = set((out / SKIPPED).read_text(encoding="utf-8").splitlines())
        left = counted(len(paths), "image could not be read and was", "images could not be read and were")
        say(f"{left} left out; {out / SKIPPED} lists them")


def _begun(out: Path) -> bool:
    return any((out / name).exists() for name in (WEIGHTS_NAME, LAST_NAME, SNAPSHOT_NAME))


def _finished(out: Path) -> bool:
    return (out / WEIGHTS_NAME).exists() and (out / LAST_NAME).exists()


def _meaning(training: TrainingRecord) -> str:
    settings = asdict(training.recipe) | {"fit": training.recipe.fit.shaping()}  # type: ignore[call-overload]
    return fingerprint_values(without_roots(settings), training.names)
