"""``seglift demo``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument(
        "--out", type=Path, default=Path("seglift-demo"), metavar="DIR", help="folder (default: ./seglift-demo)"
    )
    parser.add_argument(
        "--frames", type=int, default=41, metavar="N", help="length of the video, 5 or more (default: 41)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another street (default: 0)")
    parser.add_argument(
        "--model-steps", type=int, default=800, metavar="N", help="training steps of the model (default: 800)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a demo of other options in DIR")


def run(arguments: argparse.Namespace) -> int:
    """Runs the demo; prints the score table and where the report lies."""
    from seglift.workflows.demo import DemoConfig, format_demo, run_demo

    options = ("out", "frames", "seed", "model_steps", "overwrite")
    done = run_demo(DemoConfig(**{name: getattr(arguments, name) for name in options}))
    print(format_demo(done))
    print(f"report: {done.report}")
    return 0
