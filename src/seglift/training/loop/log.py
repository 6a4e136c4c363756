"""The course of a training: a row every few steps in metrics.csv, and the same numbers as TensorBoard's event files."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from seglift.base.errors import UserError
from seglift.base.files import write_bytes

if TYPE_CHECKING:
    from seglift.training.loop.events import EventFile

METRICS_NAME = "metrics.csv"
EVENTS_FOLDER = "tensorboard"
FIRST_COLUMNS = ("step", "epoch", "learning_rate", "loss")
LAST_COLUMN = "seconds"


class MetricsLog:
    """Appends rows; use as a context manager.

    Args:
        out: folder of the training, or None to write nothing (as all but the first of several processes do).
        done: steps that are done; rows of later ones, left by a run that was killed, are dropped.
        tensorboard: whether to write event files too.

    Raises:
        UserError: ``out`` cannot be written.
    """

    def __init__(self, out: Path | None, done: int = 0, tensorboard: bool = True) -> None:
        self._path = None if out is None else out / METRICS_NAME
        self._rows: list[dict[str, str]] = []
        self._events: EventFile | None = None
        if out is None or self._path is None:
            return
        self._rows = [row for row in read_metrics(self._path) if int(row["step"]) <= done]
        self._scores = _score_columns(self._rows)
        self._rewrite(self._path)
        if tensorboard:
            from seglift.training.loop.events import EventFile  # takes a second to load; not everybody wants it

            with _told(out / EVENTS_FOLDER):
                self._events = EventFile(out / EVENTS_FOLDER, first=done + 1)

    def write(self, step: int, values: Mapping[str, float], scores: Mapping[str, float], seconds: float) -> None:
        """A row.

        Args:
            step: steps that are done.
            values: epoch, learning_rate and loss (the mean since the last row).
            scores: those of a validation after this step, if there was one.
            seconds: training time spent.
        """
        if self._path is None:
            return
        row = {"step": str(step)} | {name: f"{value:.10g}" for name, value in {**values, **scores}.items()}
        row[LAST_COLUMN] = f"{seconds:.1f}"
        self._rows.append(row)
        if set(scores) <= set(self._scores):
            with _told(self._path), self._path.open("a", newline="") as file:
                self._table(file).writerow(row)
        else:
            self._scores = _score_columns(self._rows)
            self._rewrite(self._path)
        if self._events is not None:
            with _told(self._path.parent / EVENTS_FOLDER):
                self._events.add(step, dict(values) | {f"validation/{name}": v for name, v in scores.items()})

    def _table(self, file: TextIO) -> csv.DictWriter[str]:
        columns = [*FIRST_COLUMNS, *self._scores, LAST_COLUMN]
        return csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")

    def _rewrite(self, path: Path) -> None:
        text = io.StringIO()
        table = self._table(text)
        table.writeheader()
        table.writerows(self._rows)
        write_bytes(path, text.getvalue().encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, values by column; one that was cut off while being written is left out."""
    if not path.exists():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return list(csv.DictReader(whole))


def _score_columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns of scores that any of ``rows`` has, in order of appearance."""
    known = {*FIRST_COLUMNS, LAST_COLUMN}
    return list(dict.fromkeys(name for row in rows for name, value in row.items() if name not in known and value))


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """A failed write becomes the user's."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; free space, then call again to resume") from error
