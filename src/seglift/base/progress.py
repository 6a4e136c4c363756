"""Progress of long work: a bar with rate and time left on a terminal, plain lines otherwise. Goes to stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_INTERVAL_S = 10.0


class ProgressBar:
    """Counts finished units of work; use as a context manager and call :meth:`advance`.

    Args:
        total: number of units.
        title: what is being done, e.g. ``"labelling"``.
        unit: what is counted, e.g. ``"frames"``.
        done: units that an earlier run finished.
        quiet: show nothing.
        brief: without a terminal say nothing of work that is over before its first line was due.
    """

    def __init__(
        self, total: int, title: str, unit: str, done: int = 0, quiet: bool = False, brief: bool = False
    ) -> None:
        self.total, self.title, self.unit, self.done, self.quiet = total, title, unit, done, quiet
        self.brief = brief
        self._first = done
        self._started = self._printed = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        console = Console(stderr=True)
        if console.is_terminal and not self.quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=False,
            )
            self._bar.start()
            self._bar.add_task(self.title, total=self.total, completed=self.done, rate="")
        return self

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts ``units`` more as done; ``note`` (for example a loss) is shown behind the rate."""
        self.done += units
        now = time.monotonic()
        rate = (self.done - self._first) / max(now - self._started, 1e-9)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done, rate=f"{rate:.1f} {self.unit}/s {note}")
        elif not self.quiet and self._is_due(now):
            self._printed = now
            left = (self.total - self.done) / rate if rate > 0 else 0.0
            count = f"{self.title}: {self.done}/{self.total} {self.unit}"
            say(f"{count}, {rate:.2f} {self.unit}/s, {left:.0f} s left {note}".rstrip())

    def _is_due(self, now: float) -> bool:
        said = self._printed > self._started
        return now - self._printed >= PLAIN_INTERVAL_S or (self.done >= self.total and (said or not self.brief))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def say(message: str) -> None:
    """Prints one line for the user to stderr (results go to stdout, from the command line only)."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
