"""``seglift study RECIPE --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    from seglift.cli.train import add_training_options

    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML of recipe, policies and seeds; see recipes/")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where runs, table and plot go")
    add_training_options(parser)
    parser.add_argument("--runs", type=int, metavar="N", help="do at most N runs now; the same command goes on later")
    parser.add_argument("--minutes", type=float, metavar="M", help="start no run after M minutes")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="do N runs side by side, which share the cores"
    )
    parser.add_argument("--classes", action="store_true", help="also print IoU by class, and which classes differ")
    parser.add_argument("--dry-run", action="store_true", help="check every policy and say what would be done")


def run(arguments: argparse.Namespace) -> int:
    """Does the runs that are left, prints the table and where the plot lies."""
    from seglift.base.counts import counted
    from seglift.base.errors import UserError
    from seglift.workflows.recipes.overrides import parse_overrides, parse_roots
    from seglift.workflows.study.by_class import format_classes
    from seglift.workflows.study.dry_run import describe_study
    from seglift.workflows.study.results import format_study
    from seglift.workflows.study.run import StudyOptions, run_study
    from seglift.workflows.train.setup import TrainOptions

    if arguments.runs is not None and arguments.runs < 0:
        raise UserError(f"--runs {arguments.runs}, expected at least 0; 0 only prints what is done")
    if arguments.jobs < 1:
        raise UserError(f"--jobs {arguments.jobs}, expected at least 1; change it")
    options = TrainOptions(
        roots=parse_roots(arguments.root),
        overrides=parse_overrides(arguments.overrides),
        device=arguments.device,
        skip_corrupt=arguments.skip_corrupt,
    )
    if arguments.dry_run:
        print(describe_study(arguments.recipe, arguments.out, options))
        return 0
    done = run_study(
        arguments.recipe, arguments.out, options, StudyOptions(arguments.runs, arguments.minutes, arguments.jobs)
    )
    print(format_study(done.summaries))
    if arguments.classes and done.classes:
        print(format_classes(done.classes))
    if done.left:
        print(f"{counted(done.left, 'run is', 'runs are')} left: the same command goes on")
    if (arguments.out / "study.png").is_file():
        print(f"plot: {arguments.out / 'study.png'}")
    if (arguments.out / "budget.png").is_file():
        print(f"plot over hours: {arguments.out / 'budget.png'}")
    return 0
