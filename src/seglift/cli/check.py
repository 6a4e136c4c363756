"""``seglift check DATASET --root DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

from seglift.cli.dataset_options import add_dataset_options, read_dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("dataset", metavar="DATASET", help="its name, such as cityscapes, camvid or folder")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument(
        "--split", nargs="+", action="extend", default=[], metavar="S", help="default: all that are there"
    )
    add_dataset_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found to FILE")


def run(arguments: argparse.Namespace) -> int:
    """Reads every file, prints what was found, then complains where something is wrong."""
    from seglift.base.files import write_json
    from seglift.workflows.check.run import check_dataset
    from seglift.workflows.check.text import check_as_json, format_check

    options = read_dataset_options(arguments.option)
    check = check_dataset(arguments.dataset, arguments.root, arguments.split, options)
    if arguments.json is not None:
        write_json(arguments.json, check_as_json(check))
    print(format_check(check), flush=True)
    check.raise_problems()
    return 0
