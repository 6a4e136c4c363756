"""``seglift study``: several policies times several seeds of one recipe, compared honestly."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.progress import say
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.one_process import require_one_process
from seglift.workflows.study.by_class import ByClass, summarise_classes
from seglift.workflows.study.kinds import kind_of
from seglift.workflows.study.record import open_study, write_record
from seglift.workflows.study.results import StudySummary, write_results
from seglift.workflows.study.runs import Run, collect, describe_policies, pending, siblings
from seglift.workflows.study.side_by_side import work_side_by_side
from seglift.workflows.train.folder import INDEX
from seglift.workflows.train.setup import TrainOptions

LOCKS = "locks"


@dataclass(frozen=True)
class StudyResult:
    """Summaries by score, IoU by class, and how many runs are still to be done."""

    summaries: list[StudySummary]
    classes: ByClass
    left: int


@dataclass(frozen=True)
class StudyOptions:
    """How much a call does.

    Attributes:
        limit: most runs to do; None: all.
        minutes: starts no run after so many minutes; None: no limit.
        jobs: runs side by side, each in a process of its own.
    """

    limit: int | None = None
    minutes: float | None = None
    jobs: int = 1


@dataclass(frozen=True)
class _Order:
    """A run with all it needs, for another process.

    Attributes:
        values: its recipe.
        where: names it in messages.
        folder: of the run.
        options: roots, device, corrupt images.
        others: folders of runs that may have done alike.
        locks: folder for locks.
    """

    values: Mapping[str, object]
    where: str
    folder: Path
    options: TrainOptions
    others: tuple[Path, ...]
    locks: Path


def run_study(recipe_path: Path, out: Path, options: TrainOptions, much: StudyOptions | None = None) -> StudyResult:
    """Does the runs of a study that are not done yet and compares what there is.

    Seeds come first: all policies with the first seed, then with the next, so that an interrupted study compares what
    it can. Each run is a whole output of `seglift train`, `selftrain` or `coarse2fine` in ``out/POLICY/seed_N``;
    ``study.csv``, ``classes.csv``, ``summary.json`` and the plots are written after every run. Runs share the class
    indices in ``out/class_index``; rounds with the same seed share the stages that they have in common.

    Args:
        recipe_path: YAML of a :class:`StudyRecipe`.
        out: folder of the study; a later call goes on, also with more seeds or policies.
        options: roots, device, corrupt images and overrides for the runs.
        much: how much to do now; all by default.

    Raises:
        UserError: the recipe of the study or of a policy is wrong, ``out`` holds a study of another recipe, a run
            fails, or several processes were started.
    """
    instead = "train OUT/POLICY/seed_N by `seglift train` under torchrun and let the study compare them"
    require_one_process("a study", instead)
    much = much or StudyOptions()
    study, policies, runs = open_study(recipe_path, out, options)
    describe_policies(pending(runs)[: much.limit], options)
    with only_writer(out, out):
        write_record(out, study, policies)
        chosen = pending(runs)[: much.limit]
        for _ in _work(chosen, runs, out, options, much):
            write_results(study, runs, out)
        classes = summarise_classes(collect(runs), study.reference)
        return StudyResult(write_results(study, runs, out), classes, len(pending(runs)))


def _work(
    chosen: Sequence[Run], runs: Sequence[Run], out: Path, options: TrainOptions, much: StudyOptions
) -> Iterator[Run]:
    """Does runs, one after the other or side by side; gives each when it is done."""
    started = time.monotonic()

    def late() -> bool:
        return much.minutes is not None and time.monotonic() - started > 60 * much.minutes

    def order(run: Run) -> _Order:
        own = replace(run.options(options), cache=options.cache or out / INDEX)
        others = tuple(siblings(run, runs))
        return _Order(run.values, str(run.policy.where), run.folder, own, others, out / LOCKS)

    if much.jobs == 1:
        for number, run in enumerate(chosen, 1):
            if late():
                return
            say(f"run {number} of {len(chosen)}: {run.title}")
            _do(order(run))
            yield run
        return
    say(f"{counted(len(chosen), 'run')}, {much.jobs} at a time; what each says is in its {_log(Path('POLICY/seed_N'))}")
    orders = {run.folder: run for run in chosen}
    jobs = [order(run) for run in chosen]
    for done, job in enumerate(work_side_by_side(jobs, _do, lambda job: _log(job.folder), much.jobs, late), 1):
        say(f"run {done} of {len(chosen)} is done: {orders[job.folder].title}")
        yield orders[job.folder]


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def _do(order: _Order) -> None:
    kind = kind_of(order.values, order.where)
    kind.run(order.values, order.where, order.folder, order.options, order.others, order.locks)
