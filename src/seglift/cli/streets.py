"""``seglift streets DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("out", type=Path, metavar="DIR", help="folder to write the dataset to")
    parser.add_argument("--clips", type=int, default=4, metavar="N", help="number of clips (default: 4)")
    parser.add_argument("--val", type=int, default=1, metavar="N", help="how many of them are split val (default: 1)")
    parser.add_argument("--frames", type=int, default=40, metavar="N", help="frames per clip (default: 40)")
    parser.add_argument("--height", type=int, default=256, metavar="PIXELS", help="default: 256")
    parser.add_argument("--width", type=int, default=512, metavar="PIXELS", help="default: 512")
    parser.add_argument("--rate", type=float, default=17.0, metavar="FPS", help="frames per second (default: 17)")
    parser.add_argument("--style", default="daylight", metavar="NAME", help="daylight or game (default: daylight)")
    parser.add_argument(
        "--ego", default="auto", metavar="MOTION", help="auto, forward, turning or standing (default: auto, by seed)"
    )
    parser.add_argument("--no-noise", dest="noise", action="store_false", help="no sensor noise")
    parser.add_argument("--no-hood", dest="hood", action="store_false", help="no bonnet of the camera car in view")
    parser.add_argument("--motion", action="store_true", help="also write depth, flows and occlusion masks")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other streets (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace a street dataset in DIR")


def run(arguments: argparse.Namespace) -> int:
    """Renders and writes the dataset."""
    from seglift.base.counts import counted
    from seglift.base.progress import say
    from seglift.datasets.streets import StreetConfig, write_streets

    config = StreetConfig(
        frames=arguments.frames,
        height=arguments.height,
        width=arguments.width,
        seed=arguments.seed,
        style=arguments.style,
        rate=arguments.rate,
        ego=arguments.ego,
        noise=arguments.noise,
        hood=arguments.hood,
    )
    write_streets(
        arguments.out, arguments.clips, config, arguments.val, motion=arguments.motion, overwrite=arguments.overwrite
    )
    say(f"wrote {counted(arguments.clips, 'clip')} of {counted(arguments.frames, 'frame')} to {arguments.out}")
    return 0
