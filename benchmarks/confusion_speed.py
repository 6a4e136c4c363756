"""Time of adding one image to the confusion matrix, against building the joint index and one ``numpy.bincount``.

    python benchmarks/confusion_speed.py [--repeats 21]

2048x1024 maps of 19 classes with 5 % void; medians over ``--repeats`` turns, the two taking turns in one run. DESIGN's
budget is a ratio of at most 1.5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from seglift.metrics.confusion import Confusion

CLASSES, IGNORE = 19, 255
HEIGHT, WIDTH = 1024, 2048
BUDGET = 1.5

Map = npt.NDArray[np.uint8]


def draw_maps(kind: str) -> tuple[Map, Map]:
    """Truth and prediction: ``regions`` of 32x32 pixels with a tenth of the prediction wrong, or pure ``noise``."""
    rng = np.random.default_rng(0)
    if kind == "noise":
        truth = rng.integers(0, CLASSES, (HEIGHT, WIDTH), dtype=np.uint8)
        prediction = rng.integers(0, CLASSES, (HEIGHT, WIDTH), dtype=np.uint8)
    else:
        coarse = rng.integers(0, CLASSES, (HEIGHT // 32, WIDTH // 32), dtype=np.uint8)
        truth = coarse.repeat(32, 0).repeat(32, 1)
        wrong = rng.random(truth.shape) < 0.1
        prediction = np.where(wrong, rng.integers(0, CLASSES, truth.shape, dtype=np.uint8), truth)
    truth[rng.random(truth.shape) < 0.05] = IGNORE
    return prediction, truth


def count_plainly(prediction: Map, truth: Map) -> npt.NDArray[np.int64]:
    """What the budget is measured against, in the narrowest integers that hold the joint index."""
    joint = truth.astype(np.uint16) * np.uint16(256) + prediction
    return np.bincount(joint.ravel(), minlength=1 << 16)


def take_turns(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each work, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    """Prints a line for each kind of map; status 1 beyond the budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    print(f"numpy {np.__version__}, {os.cpu_count()} cores, {WIDTH}x{HEIGHT}, medians of {repeats}")
    worst = 0.0
    for kind in ("regions", "noise"):
        prediction, truth = draw_maps(kind)
        confusion = Confusion.empty(CLASSES)
        plain = count_plainly(prediction, truth).reshape(256, 256)[:CLASSES, :CLASSES]
        confusion.update(prediction, truth)
        if not np.array_equal(confusion.counts[:, :CLASSES], plain):
            print(f"{kind}: counts differ")
            return 1
        found = take_turns(
            {
                "plain": lambda p=prediction, t=truth: count_plainly(p, t),
                "ours": lambda p=prediction, t=truth, c=confusion: c.update(p, t),
                "score": lambda c=confusion: c.miou(),
            },
            repeats,
        )
        ratio = found["ours"] / found["plain"]
        worst = max(worst, ratio)
        times = ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in found.items())
        print(f"{kind}: {times}; ratio {ratio:.2f} (budget {BUDGET})")
    return int(worst > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
