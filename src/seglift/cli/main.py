"""The command line: finds the command, runs it, turns what happened into an exit status.

Exit status 0: done. 2: the user can fix it (one line on stderr). 130: interrupted. 1: a bug of ours (traceback).
Nothing heavy is imported before a command runs, so that ``seglift --help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from seglift import __version__

COMMANDS = {
    "coarse2fine": "rounds of training on coarse labels and filling them, with synthetic images",
    "check": "read every file of a dataset once: what is wrong, neighbours, class histogram",
    "demo": "make a short street video, label it by every method, score all, write a report",
    "label": "label every frame of a video from a few labelled ones: the main job",
    "predict": "segment every frame of a video, or every image of a tree, with a model",
    "score": "compare labels with ground truth: IoU per class, mIoU, accuracy, boundary F",
    "selftrain": "rounds of teacher and student over unlabelled frames (Naive-Student)",
    "study": "train several policies with several seeds and compare them",
    "suggest": "which frames or images to annotate next, and the hours it takes",
    "train": "train by a recipe: a segmentation model, or motion from unlabelled video",
    "synthesize": "label the neighbours of every labelled frame of a dataset, as a dataset to train on",
    "streets": "write the procedural street dataset",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"seglift: error: {message}; see `{self.prog} --help`\n")


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that ``argv`` names loads its own options."""
    parser = _Parser(prog="seglift", description="Label a few frames, get every frame.")
    parser.add_argument("--version", action="version", version=f"seglift {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if name in argv:
            importlib.import_module(f"seglift.cli.{name}").add_arguments(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status.

    Args:
        argv: the words after the program's name; None takes those of the process and then ends it at once. What is
            written is whole by then, and taking torch down takes a second in which another Ctrl-C would end in noise.
    """
    if argv is not None:
        return _run(argv)
    status = _run(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _run(words: Sequence[str]) -> int:
    from seglift.base.errors import UserError

    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries tell programmers is nothing to a user
    try:
        parser = build_parser(words)
        arguments, unknown = parser.parse_known_args(words)
        if unknown:
            raise UserError(f"unknown option {unknown[0]}; see `seglift {arguments.command} --help`")
        command = importlib.import_module(f"seglift.cli.{arguments.command}")
        return int(command.run(arguments))
    except UserError as error:
        sys.stderr.write(f"seglift: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("seglift: interrupted; what is finished stays, run the same command again to go on\n")
        return 130
    except BrokenPipeError:
        # The reader of our output went away; keep Python from complaining again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
