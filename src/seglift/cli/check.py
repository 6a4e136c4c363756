"""``seglift check DATASET --root DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("dataset", metavar="DATASET", help="its name, such as cityscapes, camvid or folder")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument(
        "--split", nargs="+", action="extend", default=[], metavar="S", help="default: all that are there"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the dataset, such as classes=32 or video=DIR of camvid; may be given several times",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found to FILE")


def run(arguments: argparse.Namespace) -> int:
    """Reads every file, prints what was found, then complains where something is wrong."""
    from seglift.base.errors import UserError
    from seglift.base.files import write_json
    from seglift.workflows.check import check_dataset
    from seglift.workflows.check_text import check_as_json, format_check

    options: dict[str, object] = {}
    for word in arguments.option:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"--option {word!r} is not NAME=VALUE; write it so, for example --option classes=32")
        options[name] = value
    check = check_dataset(arguments.dataset, arguments.root, arguments.split, options)
    if arguments.json is not None:
        write_json(arguments.json, check_as_json(check))
    print(format_check(check), flush=True)
    check.raise_problems()
    return 0
