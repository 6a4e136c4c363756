"""``seglift selftrain RECIPE --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    from seglift.cli.train import add_training_options

    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML of teacher, student and data; see recipes/")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where rounds, table and report go")
    add_training_options(parser)
    parser.add_argument(
        "--stages", type=int, metavar="N", help="do at most N stages now; the same command goes on later"
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="start no stage after M minutes")
    parser.add_argument("--overwrite", action="store_true", help="start anew where DIR holds rounds of another recipe")
    parser.add_argument("--dry-run", action="store_true", help="check everything and say what would be done")


def run(arguments: argparse.Namespace) -> int:
    """Does the stages that are left, prints the table and where the report lies."""
    from seglift.base.counts import counted
    from seglift.base.errors import UserError
    from seglift.workflows.naive_student.dry_run import describe_selftrain
    from seglift.workflows.naive_student.run import run_selftrain
    from seglift.workflows.recipes.overrides import parse_overrides, parse_roots
    from seglift.workflows.rounds.results import format_rounds
    from seglift.workflows.train.setup import TrainOptions

    if arguments.stages is not None and arguments.stages < 0:
        raise UserError(f"--stages {arguments.stages}, expected at least 0; 0 only prints what is done")
    options = TrainOptions(
        roots=parse_roots(arguments.root),
        overrides=parse_overrides(arguments.overrides),
        device=arguments.device,
        skip_corrupt=arguments.skip_corrupt,
        overwrite=arguments.overwrite,
    )
    if arguments.dry_run:
        print(describe_selftrain(arguments.recipe, arguments.out, options))
        return 0
    done = run_selftrain(arguments.recipe, arguments.out, options, arguments.stages, arguments.minutes)
    print(format_rounds(done.rows))
    if done.left:
        print(f"{counted(done.left, 'stage is', 'stages are')} left: the same command goes on")
    print(f"report: {done.report}")
    return 0
