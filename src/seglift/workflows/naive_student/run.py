"""``seglift selftrain``: rounds of teacher and student over unlabelled frames (Naive-Student)."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seglift import __version__
from seglift.base.files import write_bytes
from seglift.workflows.naive_student.data import SelftrainData
from seglift.workflows.naive_student.output import RECIPE, rounds_output
from seglift.workflows.naive_student.plan import SelftrainPlan, check_trainings, make_plan, tell_warnings
from seglift.workflows.naive_student.recipe import SelftrainRecipe, read_selftrain
from seglift.workflows.naive_student.report import REPORT, write_report
from seglift.workflows.naive_student.results import collect
from seglift.workflows.naive_student.rounds import count_stages, stages_of_seed
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.machine import library_versions
from seglift.workflows.outputs.one_process import require_one_process
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.rounds.results import ModelScores, tells_all, write_results
from seglift.workflows.rounds.shared_stages import SharedStages
from seglift.workflows.rounds.stages import StageRunner
from seglift.workflows.train.setup import TrainOptions


@dataclass(frozen=True)
class SelftrainResult:
    """What a call left.

    Attributes:
        rows: scores by network.
        left: stages that are still to be done.
        report: the page.
    """

    rows: list[ModelScores]
    left: int
    report: Path


def run_selftrain(
    path: Path, out: Path, options: TrainOptions, limit: int | None = None, minutes: float | None = None
) -> SelftrainResult:
    """Does the stages that are not done yet of a recipe in a file.

    Args:
        path: YAML of a :class:`~seglift.workflows.naive_student.recipe.SelftrainRecipe`.
        out: see :func:`run_rounds`.
        options: the same, and overrides of the recipe.
        limit: see there.
        minutes: see there.

    Raises:
        UserError: see :func:`run_rounds`.
    """
    return run_rounds(read_selftrain(path, options.overrides), str(path), out, options, limit, minutes)


def run_rounds(
    recipe: SelftrainRecipe,
    where: str,
    out: Path,
    options: TrainOptions,
    limit: int | None = None,
    minutes: float | None = None,
    shared: SharedStages | None = None,
) -> SelftrainResult:
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
    instead = "train an unfinished OUT/seed_N/round_M/NAME by `seglift train` under torchrun and go on here"
    require_one_process("selftrain", instead)
    plan, data = make_plan(recipe, where, options)
    output = rounds_output(plan, out)
    output.check(options.overwrite)
    tell_warnings(plan)
    if options.overwrite or not any(output.journal.entries()):
        check_trainings(plan, out)
    with only_writer(output.folder, output.work):
        output.open(_about(plan), options.overwrite, ())
        text = yaml.safe_dump(plain_values(plan.recipe), sort_keys=False, allow_unicode=True)
        write_bytes(out / RECIPE, text.encode())
        runner = StageRunner(output.journal, count_stages(plan.recipe), limit, minutes, shared)
        _run_stages(plan, data, runner, out)
        rows = collect(plan, out)
        write_results(rows, out)
        if not tells_all(out / REPORT, output.journal.path):
            write_report(plan, data, rows, out)
    return SelftrainResult(rows, runner.left, out / REPORT)


def _run_stages(plan: SelftrainPlan, first: SelftrainData, runner: StageRunner, out: Path) -> None:
    """All stages, as far as this call may; results are written after each."""
    for seed in plan.recipe.seeds:
        data = first if seed == plan.recipe.seeds[0] else plan.sources.draw(seed)
        for stage in stages_of_seed(plan, data, seed, out):
            made = runner.made
            if not runner.run(stage):
                return
            if runner.made > made:
                write_results(collect(plan, out), out)


def _about(plan: SelftrainPlan) -> dict[str, Any]:
    return {
        "space": plan.sources.space.name,
        "seeds": list(plan.recipe.seeds),
        "rounds": plan.recipe.rounds,
        "versions": {"seglift": __version__, "python": platform.python_version(), **library_versions()},
    }
