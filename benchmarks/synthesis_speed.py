"""Speed of ``seglift synthesize --method motion --pairs joint`` at 2048x1024 on the CPU.

    python benchmarks/synthesis_speed.py [--distance 5] [--sources 2] [--runs 5] [--workers N]

Procedural street frames are enlarged to 2048x1024 in a temporary folder, with labels and instances. Measured is the
whole command (frames/s of finished pairs, PNGs on disk), with and without confidence maps, and the ratio of what
synthesis in separate passes would take: one that carries labels and instances, one that carries pictures, each
estimating motion for itself. All runs are in one process, in turn; the median counts.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from seglift.base.ahead import work_ahead
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.streets import StreetConfig, write_streets
from seglift.labels.writing import write_png
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.one_sided import Rider, SideWalker
from seglift.propagation.state import Origin
from seglift.workflows.synthesize.config import SynthesizeConfig
from seglift.workflows.synthesize.plan import PlannedSource
from seglift.workflows.synthesize.result import Remarks
from seglift.workflows.synthesize.run import run_synthesize
from seglift.workflows.synthesize.setup import Tools, prepare
from seglift.workflows.synthesize.source import make_neighbours

SCALE = 4


def make_dataset(folder: Path, frames: int) -> Path:
    """A street clip of ``frames`` frames of 2048x1024."""
    small, large = folder / "small", folder / "large"
    write_streets(small, 1, StreetConfig(frames=frames, height=256, width=512), 0)
    for path in sorted(small.rglob("*.png")):
        how = cv2.INTER_CUBIC if "images" in path.parts else cv2.INTER_NEAREST_EXACT
        target = large / path.relative_to(small)
        target.parent.mkdir(parents=True, exist_ok=True)
        array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(target), cv2.resize(array, None, fx=SCALE, fy=SCALE, interpolation=how))
    shutil.copy(small / "space.yaml", large)
    return large


def write_labels(tools: Tools, source: PlannedSource, out: Path) -> None:
    """A pass that carries labels and instances."""
    with torch.inference_mode():
        for neighbour in make_neighbours(tools, source, Remarks()):
            for kind in ("labels", "instances", "confidence"):
                array = getattr(neighbour, kind)
                if array is not None:
                    write_png(out / f"{source.item.name}_{neighbour.offset}_{kind}.png", array)


def write_pictures(tools: Tools, source: PlannedSource, out: Path) -> None:
    """A pass that carries pictures alone; labels of one value, which cost what any labels do, are not written."""
    kept: dict[int, torch.Tensor] = {}

    def frame(index: int) -> torch.Tensor:
        if index not in kept:
            kept[index] = torch.from_numpy(source.frames[index]).permute(2, 0, 1)[None]
        return kept[index]

    if tools.estimator is None:
        raise ValueError("pictures are carried by motion")
    with torch.inference_mode():
        image = frame(source.key)
        origin = Origin(image[:, 0].contiguous(), image)
        walker = SideWalker(frame, len(source.frames), tools.estimator, MotionOnly(), check=False)
        for indices, targets in source.sides():
            rider = Rider(image, recursive=False)
            for index, state, motion in walker.walk(origin, indices):
                rider.step(motion)
                if index in targets.values():
                    array = rider.on(state)[0].permute(1, 2, 0).numpy()
                    write_png(out / f"{source.item.name}_{index}.png", np.ascontiguousarray(array))
                kept.pop(index - indices.step, None) if index - indices.step != source.key else None


def separate_passes(config: SynthesizeConfig) -> None:
    """The same pairs, motion estimated once for each pass."""
    plan, tools = prepare(replace(config, pairs="label"))
    with threads_per_call(1):
        for make in (write_labels, write_pictures):
            list(
                work_ahead(
                    lambda source, make=make: make(tools, source, config.out),
                    plan.sources,
                    config.workers or worker_count(),
                )
            )


def timed(work: Callable[[SynthesizeConfig], object], config: SynthesizeConfig) -> float:
    shutil.rmtree(config.out, ignore_errors=True)
    begin = time.monotonic()
    work(config)
    return time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--distance", type=int, default=5)
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        every = 2 * arguments.distance + 1
        root = make_dataset(Path(name), every * arguments.sources)
        config = SynthesizeConfig(
            dataset="folder", root=root, out=Path(name) / "out", method="motion", pairs="joint", device="cpu",
            distances=tuple(range(1, arguments.distance + 1)), workers=arguments.workers,
            options={"every": every, "first": arguments.distance},
        )  # fmt: skip
        pairs = 2 * arguments.distance * arguments.sources
        print(f"{pairs} joint pairs of 2048x1024, {arguments.workers or worker_count()} threads, DIS medium")
        for confidence in (False, True):
            settings = replace(config, confidence=confidence)
            one: list[float] = []
            two: list[float] = []
            for _ in range(arguments.runs):
                one.append(timed(run_synthesize, settings))
                two.append(timed(separate_passes, settings))
            ratios = [after / before for before, after in zip(one, two, strict=True)]
            print(
                f"confidence {'on ' if confidence else 'off'}: {pairs / statistics.median(one):.2f} frames/s "
                f"({min(one):.1f} to {max(one):.1f} s), separate passes take {statistics.median(ratios):.2f} times as "
                f"long ({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
