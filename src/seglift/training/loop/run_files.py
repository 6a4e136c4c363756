"""The files a training leaves: the best and the last weights, and the state to resume from until it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import remove_leftovers
from seglift.base.weights import load_weights, save_weights
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.training.loop.snapshot import RunState, check_finite, load_snapshot, save_snapshot

LAST_NAME = "last.safetensors"
SNAPSHOT_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class FitResult:
    """What a training left.

    Attributes:
        weights: the file of the best weights; the last ones where nothing was validated.
        steps: optimiser steps the training took.
        stopped_at_step: equal to ``steps`` where the cap on time ended it, else None.
        best_step: step of the best validation, None where nothing was validated.
        scores: its scores.
    """

    weights: Path
    steps: int
    stopped_at_step: int | None
    best_step: int | None
    scores: dict[str, float]


class RunFiles:
    """The files of one training in ``out``.

    Args:
        out: folder of the training.
        fingerprint: of its data and settings; files with another one are refused.
        described: what goes into the metadata of its weights.
        settings: those that shaped the weights, for the metadata too.
        writes: whether this process writes; only the first of several does.
    """

    def __init__(
        self, out: Path, fingerprint: str, described: dict[str, Any], settings: dict[str, Any], writes: bool = True
    ) -> None:
        self.best, self.last, self.snapshot = out / WEIGHTS_NAME, out / LAST_NAME, out / SNAPSHOT_NAME
        self.fingerprint, self.described, self.settings, self.writes = fingerprint, described, settings, writes
        if writes:
            remove_leftovers(out)

    def result(self) -> FitResult | None:
        """What an earlier training left here, None where it has not ended.

        Raises:
            UserError: the weights here are of other data or settings.
        """
        training: dict[str, Any] = {}
        for path in (self.best, self.last):
            if path.exists():
                _, metadata = load_weights(path)
                if metadata.get("fingerprint") != self.fingerprint:
                    raise UserError(
                        f"{path} was trained with other data or settings; choose another output folder or overwrite it"
                    )
                training = metadata["training"]
        if not (self.best.exists() and self.last.exists()):
            return None
        if self.writes:
            self.snapshot.unlink(missing_ok=True)
        return FitResult(
            self.best, training["steps"], training["stopped_at_step"], training["best_step"], training["scores"]
        )

    def resume(self, state: RunState) -> None:
        """Takes the state of a killed training over, if there is one."""
        if self.snapshot.exists():
            load_snapshot(self.snapshot, state, self.fingerprint)

    def checkpoint(self, state: RunState) -> None:
        """Writes the state to resume from."""
        if self.writes:
            save_snapshot(self.snapshot, state, self.fingerprint)

    def keep_best(self, state: RunState) -> None:
        """Writes the weights as the best so far."""
        if self.writes:
            check_finite(state)
            self._save(self.best, state)

    def finish(self, state: RunState) -> FitResult:
        """Writes the last weights, as the best too where nothing was validated, and drops the state to resume from."""
        progress = state.progress
        if self.writes:
            self._save(self.last, state)
            if progress.best_step is None:
                self._save(self.best, state)
            self.snapshot.unlink(missing_ok=True)
        return FitResult(
            self.best, progress.step, progress.stopped_at_step, progress.best_step, dict(progress.best_scores)
        )

    def _save(self, path: Path, state: RunState) -> None:
        progress = state.progress
        training = self.settings | {
            "steps": progress.step,
            "stopped_at_step": progress.stopped_at_step,
            "best_step": progress.best_step,
            "scores": progress.best_scores,
        }
        save_weights(path, state.kept, {**self.described, "training": training, "fingerprint": self.fingerprint})
