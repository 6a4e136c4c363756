"""Options of a dataset on a command line: ``--option NAME=VALUE``, several times."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from seglift.base.errors import UserError


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--option``."""
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the dataset, such as classes=32 or video=DIR of camvid; may be given several times",
    )


def read_dataset_options(words: Iterable[str]) -> dict[str, object]:
    """The options by name, the last of equal names; the dataset's opener reads their text.

    Raises:
        UserError: a word is not ``NAME=VALUE``.
    """
    options: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"--option {word!r} is not NAME=VALUE; write it so, for example --option classes=32")
        options[name] = value
    return options
