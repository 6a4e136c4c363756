"""Label quality where every frame is labelled: each method by distance to the keyframe and by class.

    python benchmarks/label_quality.py --methods motion inpaint                                 # two-sided
    python benchmarks/label_quality.py --protocols one-sided --model runs/tuned --leave-out 0 20 40 --methods ...
    python benchmarks/label_quality.py --protocols streets --streets town/ --model runs/streets --plot quality.png

Labels are made by ``seglift label`` and scored by ``seglift score``, void ground truth left out, a void prediction
wrong; "with ignore" counts void as a class instead (Ganeshan et al. 2021, figures 1 and 5). All numbers in percent.

two-sided: keyframes at indices 0, N, 2N, ... (``--every``); the frames strictly between the first and the last.
one-sided: keyframes at 10, 15, ... 40, each alone, labels carried 10 frames each way; the mean is that of 20 mIoUs, one
for each distance and direction, each pooled over the keyframes. ``--leave-out`` names frames that ``--model`` has seen.
streets: ApolloScape's protocol on a dataset of ``seglift streets``: clips of 21 frames, the centre one labelled, the
other 20 scored.

With ``--json FILE`` scores are added to FILE, and setups that it has are not run again: tables and plot show them all.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from quality.jobs import Parts, apolloscape, one_sided, two_sided
from quality.labelling import score_parts
from quality.setups import Setup, add_setup_options, find_setups
from quality.tables import print_classes, print_distances, print_numbers, write_plot

from seglift.base.files import read_json, write_json


def find_protocols(given: argparse.Namespace) -> dict[str, Parts]:
    """The jobs that were asked for, by the title of their tables."""
    left_out = frozenset(given.leave_out)
    found: dict[str, Parts] = {}
    for clip in given.clips if {"two-sided", "one-sided"} & set(given.protocols) else ():
        data = Path(os.environ["SEGLIFT_DATA"])
        if "two-sided" in given.protocols:
            found |= {f"{clip}, two-sided, N = {n}": two_sided(data, clip, n, left_out) for n in given.every}
        if "one-sided" in given.protocols:
            found[f"{clip}, one-sided"] = one_sided(data, clip, left_out)
    if "streets" in given.protocols:
        if given.streets is None:
            raise SystemExit("--protocols streets needs a dataset of `seglift streets`; add --streets DIR")
        found["streets, centre frames"] = apolloscape(given.streets, given.split)
    return found


def measure(parts: Parts, setups: list[Setup], known: dict[str, Any], file: Path | None, everything: Any) -> None:
    """Adds the scores of the setups that ``known`` lacks."""
    for setup in setups:
        if setup.name in known:
            continue
        begin = time.monotonic()
        known[setup.name] = score_parts(parts, setup)
        print(f"{setup.name}: {time.monotonic() - begin:.0f} s", flush=True)
        if file is not None:
            write_json(file, everything)


def main() -> None:
    """Parses the options and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", default=["two-sided"], choices=("two-sided", "one-sided", "streets"))
    parser.add_argument("--clips", nargs="+", default=["camvid/dense_a"], help="folders in SEGLIFT_DATA")
    parser.add_argument("--every", type=int, nargs="+", default=[5, 10, 20], metavar="N")
    parser.add_argument("--leave-out", type=int, nargs="*", default=[], metavar="INDEX", help="frames not to score")
    parser.add_argument("--streets", type=Path, metavar="DIR")
    parser.add_argument("--split", default="val", help="of --streets")
    add_setup_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a PNG of mIoU by distance")
    given = parser.parse_args()
    begin = time.monotonic()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    setups, protocols = find_setups(given), find_protocols(given)
    results: dict[str, dict[str, Any]] = read_json(given.json) if given.json and given.json.is_file() else {}
    for title, parts in protocols.items():
        measure(parts, setups, results.setdefault(title, {}), given.json, results)
        print_distances(title, results[title])
        print_numbers(title, results[title])
        print_classes(title, results[title])
    if given.plot is not None:
        write_plot(given.plot, {title: results[title] for title in protocols})
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
