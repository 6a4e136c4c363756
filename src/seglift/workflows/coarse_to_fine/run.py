"""``seglift coarse2fine``: rounds of training on coarse labels and filling them (Das et al. 2023)."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seglift import __version__
from seglift.base.files import write_bytes
from seglift.base.progress import say
from seglift.workflows.coarse_to_fine.data import CoarseData
from seglift.workflows.coarse_to_fine.output import RECIPE, rounds_output
from seglift.workflows.coarse_to_fine.plan import CoarsePlan, check_inputs, make_plan
from seglift.workflows.coarse_to_fine.recipe import CoarseToFineRounds, read_rounds
from seglift.workflows.coarse_to_fine.report import REPORT, write_report
from seglift.workflows.coarse_to_fine.results import collect, collect_shares, shares_as_json
from seglift.workflows.coarse_to_fine.rounds import count_stages, simulating_stages, stages_of_seed
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.machine import library_versions
from seglift.workflows.outputs.one_process import require_one_process
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.rounds.results import ModelScores, tells_all, write_results
from seglift.workflows.rounds.shared_stages import SharedStages
from seglift.workflows.rounds.stages import Stage, StageRunner
from seglift.workflows.train.setup import TrainOptions


@dataclass(frozen=True)
class CoarseToFineResult:
    """What a call left.

    Attributes:
        rows: scores by network.
        left: stages that are still to be done.
        report: the page.
    """

    rows: list[ModelScores]
    left: int
    report: Path


def run_coarse_to_fine(
    path: Path, out: Path, options: TrainOptions, limit: int | None = None, minutes: float | None = None
) -> CoarseToFineResult:
    """Does the stages that are not done yet of a recipe in a file.

    Args:
        path: YAML of a :class:`~seglift.workflows.coarse_to_fine.recipe.CoarseToFineRounds`.
        out: see :func:`run_rounds`.
        options: the same, and overrides of the recipe.
        limit: see there.
        minutes: see there.

    Raises:
        UserError: see :func:`run_rounds`.
    """
    return run_rounds(read_rounds(path, options.overrides), str(path), out, options, limit, minutes)


def run_rounds(
    recipe: CoarseToFineRounds,
    where: str,
    out: Path,
    options: TrainOptions,
    limit: int | None = None,
    minutes: float | None = None,
    shared: SharedStages | None = None,
) -> CoarseToFineResult:
    """Does the stages that are not done yet.

    Args:
        recipe: of the rounds.
        where: its file, for messages.
        out: receives a folder for each seed and round, ``rounds.json``, ``rounds.csv``, ``report.html``, ``run.json``.
        options: roots, device, corrupt images, and whether to start anew in an ``out`` of another recipe.
        limit: most stages to do in this call.
        minutes: starts no stage after so many minutes.
        shared: where stages that other rounds did alike are taken from; None does all of them here.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same command goes on from there.
    """
    instead = "train an unfinished OUT/seed_N/round_M/network by `seglift train` under torchrun and go on here"
    require_one_process("coarse2fine", instead)
    plan, data = make_plan(recipe, where, options)
    output = rounds_output(plan, out)
    output.check(options.overwrite)
    if options.overwrite or not any(output.journal.entries()):
        for warning in check_inputs(plan, data, out):
            say(warning)
    with only_writer(output.folder, output.work):
        output.open(_about(plan, data), options.overwrite, ())
        text = yaml.safe_dump(plain_values(plan.recipe), sort_keys=False, allow_unicode=True)
        write_bytes(out / RECIPE, text.encode())
        runner = StageRunner(output.journal, count_stages(plan.recipe, data), limit, minutes, shared)
        _run_stages(plan, data, runner, out)
        rows, shares = collect(plan, out), shares_as_json(collect_shares(plan, out))
        write_results(rows, out, shares)
        output.write_run({**_about(plan, data), **shares})
        if not tells_all(out / REPORT, output.journal.path):
            write_report(plan, data, rows, out)
    return CoarseToFineResult(rows, runner.left, out / REPORT)


def _run_stages(plan: CoarsePlan, first: CoarseData, runner: StageRunner, out: Path) -> None:
    """All stages, as far as this call may; results are written after each."""
    for stage in _stages(plan, first, out):
        made = runner.made
        if not runner.run(stage):
            return
        if runner.made > made:
            write_results(collect(plan, out), out, shares_as_json(collect_shares(plan, out)))


def _stages(plan: CoarsePlan, first: CoarseData, out: Path) -> Iterator[Stage]:
    yield from simulating_stages(plan, first, out)
    for seed in plan.recipe.seeds:
        data = first if seed == plan.recipe.seeds[0] else plan.sources.draw(seed)
        yield from stages_of_seed(plan, data, seed, out)


def _about(plan: CoarsePlan, data: CoarseData) -> dict[str, Any]:
    sources = [
        {
            "use": drawn.opened.use,
            "name": drawn.opened.source.called,
            "dataset": drawn.opened.given.name,
            "split": drawn.opened.given.split,
            "images": len(drawn.items),
            "of": len(drawn.opened.labelled),
            "simulate": drawn.opened.simulate,
            "classes": dict(drawn.opened.source.classes),
            "ignored_classes": list(drawn.opened.ignored),
            "never_labelled_classes": list(drawn.opened.missing),
        }
        for drawn in data.every
    ]
    return {
        "space": plan.sources.space.name,
        "sources": sources,
        "seeds": list(plan.recipe.seeds),
        "rounds": plan.recipe.rounds,
        "versions": {"seglift": __version__, "python": platform.python_version(), **library_versions()},
    }
