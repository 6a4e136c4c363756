"""A training in its folder, whatever is trained: refused, begun, continued or done; curves and scores at its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from seglift.base.files import write_json
from seglift.training.loop.run_files import FitResult
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.train.folder import SCORES
from seglift.workflows.train.record import (
    TrainingRecord,
    check_folder,
    check_place,
    clear,
    describe_run,
    draw_curves,
    say_beginning,
    say_best,
    say_skipped,
)


class FinalScores(Protocol):
    """What the weights of a training reach."""

    def as_json(self) -> dict[str, Any]:
        """Values for ``scores.json``."""


Scored = TypeVar("Scored", bound=FinalScores)


def train_in_folder(
    training: TrainingRecord,
    out: Path,
    overwrite: bool,
    steps: int,
    train: Callable[[], FitResult],
    score: Callable[[Path], Scored | None],
) -> tuple[FitResult, Scored | None]:
    """Trains in ``out`` as its only writer and leaves recipe, record, curves and scores beside the weights.

    Args:
        training: what is trained.
        out: folder of the training.
        overwrite: train anew where the folder holds another training.
        steps: optimiser steps of the whole.
        train: does it, or goes on where an earlier call was interrupted.
        score: scores of a weights file; None where there is nothing to score on.

    Raises:
        UserError: ``out`` is no folder of this training, or what the two functions raise.
    """
    check_place(training, out)
    with only_writer(out, out):
        if overwrite:
            clear(out)
        check_folder(training, out)
        describe_run(training, out)
        say_beginning(out, steps)
        done = train()
        draw_curves(out)
        scores = score(done.weights)
        say_skipped(out)
        say_best(done)
        if scores is not None:
            write_json(out / SCORES, scores.as_json())
    return done, scores
