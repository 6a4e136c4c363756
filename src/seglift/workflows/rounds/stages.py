"""Stages that are done once: a journal says which, by what they depend on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.progress import say
from seglift.workflows.outputs.journal import Journal
from seglift.workflows.rounds.shared_stages import SharedStages


@dataclass(frozen=True)
class Stage:
    """One step of the rounds.

    Attributes:
        name: its folder below OUT, unique.
        title: what is done, for a person.
        key: identifies everything that its result depends on.
        products: files that are there when it is done.
        work: does it, or goes on where an earlier call was interrupted.
        clear: removes what is there of other inputs.
    """

    name: str
    title: str
    key: str
    products: tuple[Path, ...]
    work: Callable[[], None]
    clear: Callable[[], None]


def count_done(journal: Journal) -> int:
    """How many stages a journal has as done; not those that were begun anew since."""
    last = {entry["stage"]: entry for entry in journal.entries()}
    return sum(bool(entry["done"]) for entry in last.values())


def describe_stages(total: int, done: int, seeds: Sequence[int], device: str) -> str:
    """How many stages there are, how many of them are done, and on what the others run, for a person."""
    every = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
    left = f", {min(done, total)} of them done" if done else ""
    return f"{counted(total, 'stage')} with {every} on {device}{left}"


class StageRunner:
    """Does the stages that are not done, as many as a call may.

    Args:
        journal: of the rounds; entries have :data:`ENTRY`.
        total: number of all stages.
        limit: most stages to do; None: all.
        minutes: starts no stage after so many minutes; None: no limit.
        shared: where stages that other rounds did alike are taken from; None does all of them here.
    """

    def __init__(
        self,
        journal: Journal,
        total: int,
        limit: int | None = None,
        minutes: float | None = None,
        shared: SharedStages | None = None,
    ) -> None:
        self.journal, self.total, self.limit, self.minutes, self.shared = journal, total, limit, minutes, shared
        self.done = self.made = 0
        self._started = time.monotonic()
        self._known = {entry["stage"]: entry for entry in journal.entries()}

    @property
    def left(self) -> int:
        """Stages that are not done."""
        return self.total - self.done

    def is_done(self, stage: Stage) -> bool:
        """Whether nothing is to be done for it."""
        entry = self._known.get(stage.name)
        whole = all(path.is_file() for path in stage.products)
        return whole and entry is not None and bool(entry["done"]) and entry["key"] == stage.key

    def run(self, stage: Stage) -> bool:
        """Does a stage unless it is done; False where this call may do no more.

        Raises:
            UserError: as the stage's work.
        """
        if not self.is_done(stage):
            late = self.minutes is not None and time.monotonic() - self._started > 60 * self.minutes
            if late or (self.limit is not None and self.made >= self.limit):
                return False
            self._do(stage)
        self.done += 1
        return True

    def _do(self, stage: Stage) -> None:
        entry = self._known.get(stage.name)
        anew = entry is not None and entry["key"] != stage.key
        say(f"stage {self.done + 1} of {self.total}: {stage.title}{' (its inputs changed, anew)' if anew else ''}")
        if anew:
            stage.clear()  # comes first: killed in between, the journal still tells of the old inputs
        self._write(stage, done=False)
        with nullcontext() if self.shared is None else self.shared.turn(stage.key):
            if self.shared is None or not self.shared.take(stage.name, stage.key, stage.products):
                stage.work()
            self._write(stage, done=True)
        self.made += 1

    def _write(self, stage: Stage, done: bool) -> None:
        self._known[stage.name] = self.journal.append({"stage": stage.name, "key": stage.key, "done": done})
