"""``seglift train RECIPE --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML of what to train; see recipes/")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where weights, curves and scores go")
    add_training_options(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="in place of the recipe's fit.seed")
    parser.add_argument("--overwrite", action="store_true", help="train anew where DIR holds another training")
    parser.add_argument("--dry-run", action="store_true", help="check everything and say what would be trained")


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that ``train`` and ``study`` share."""
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of the recipe's dataset NAME, for each of them; without NAME of the only one",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="NAME=VALUE",
        help="changes a value of the recipe, such as fit.steps=100 or train.0.split=trainval; may be given often",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument(
        "--skip-corrupt", action="store_true", help="leave out images that cannot be read, and count them"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains; prints the scores and where the weights lie."""
    from seglift.training.loop.processes import is_first_process
    from seglift.workflows.recipes.overrides import parse_overrides, parse_roots
    from seglift.workflows.recipes.recipe import read_yaml
    from seglift.workflows.train.kinds import describe_recipe, run_recipe
    from seglift.workflows.train.setup import TrainOptions

    overrides = parse_overrides(arguments.overrides)
    if arguments.seed is not None:
        overrides["fit.seed"] = arguments.seed
    options = TrainOptions(
        roots=parse_roots(arguments.root),
        overrides=overrides,
        device=arguments.device,
        skip_corrupt=arguments.skip_corrupt,
        overwrite=arguments.overwrite,
    )
    values, where = read_yaml(arguments.recipe), str(arguments.recipe)
    if arguments.dry_run:
        described = describe_recipe(values, where, arguments.out, options)
        if is_first_process():
            print(f"{described}\nwrites to {arguments.out}; nothing was written now")
        return 0
    done = run_recipe(values, where, arguments.out, options)
    if done is not None:
        if done.table is not None:
            print(done.table)
        print(f"weights: {done.weights}\ncurves: {arguments.out / 'curves.png'}")
    return 0
