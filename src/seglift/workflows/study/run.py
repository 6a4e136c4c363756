"""``seglift study``: several policies times several seeds of one recipe, compared honestly."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_json
from seglift.base.progress import say
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.one_process import require_one_process
from seglift.workflows.recipes.overrides import check_roots
from seglift.workflows.study.by_class import ByClass, summarise_classes
from seglift.workflows.study.kinds import kind_of
from seglift.workflows.study.recipe import Policy, StudyRecipe, read_study
from seglift.workflows.study.results import StudySummary, write_results
from seglift.workflows.study.runs import Run, collect, runs_of, siblings
from seglift.workflows.study.side_by_side import work_side_by_side
from seglift.workflows.train.folder import INDEX
from seglift.workflows.train.setup import TrainOptions

RECORD, LOCKS = "study.json", "locks"


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
    study, policies = read_study(recipe_path, options.overrides)
    check_roots(options.roots, set().union(*(policy.sources for policy in policies.values())))
    runs = runs_of(study, policies, out)
    _check_data(_pending(runs)[: much.limit], options)
    with only_writer(out, out):
        _check_record(out, study, policies)
        chosen = _pending(runs)[: much.limit]
        for _ in _work(chosen, runs, out, options, much):
            write_results(study, runs, out)
        classes = summarise_classes(collect(runs), study.reference)
        return StudyResult(write_results(study, runs, out), classes, len(_pending(runs)))


def _pending(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if not run.is_done()]


def _check_data(runs: Sequence[Run], options: TrainOptions) -> None:
    """Refuses data of a later run before the first begins."""
    for run in {run.policy.name: run for run in reversed(runs)}.values():
        run.policy.kind.check(run.values, run.policy.where, _own(run, options))


def _own(run: Run, options: TrainOptions) -> TrainOptions:
    """The options with those roots that the run's recipe knows, and no overrides: they are in it."""
    roots = {name: root for name, root in options.roots.items() if name in {"", *run.policy.sources}}
    return replace(options, roots=roots, overrides={})


def _work(
    chosen: Sequence[Run], runs: Sequence[Run], out: Path, options: TrainOptions, much: StudyOptions
) -> Iterator[Run]:
    """Does runs, one after the other or side by side; gives each when it is done."""
    started = time.monotonic()

    def late() -> bool:
        return much.minutes is not None and time.monotonic() - started > 60 * much.minutes

    def order(run: Run) -> _Order:
        own = replace(_own(run, options), cache=options.cache or out / INDEX)
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
    say(f"{len(chosen)} runs, {much.jobs} at a time; what each says is in its {_log(Path('POLICY/seed_N'))}")
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


def _check_record(out: Path, study: StudyRecipe, policies: Mapping[str, Policy]) -> None:
    """Keeps what each policy means; seeds and policies may be added, but a known one must not change."""
    meaning = {name: fingerprint_values(policy.values) for name, policy in policies.items()}
    record = out / RECORD
    known: dict[str, str] = read_json(record)["policies"] if record.is_file() else {}
    changed = [name for name in meaning if name in known and known[name] != meaning[name]]
    if changed:
        raise UserError(
            f"{out} holds runs of the policy {changed[0]} with another meaning (the recipe changed since);"
            " rename the policy or choose another --out"
        )
    recipes = {name: policy.values for name, policy in policies.items()}
    write_json(record, {"policies": known | meaning, "recipes": recipes, "metrics": list(study.metrics)})
