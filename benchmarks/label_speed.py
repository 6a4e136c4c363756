"""Speed and memory of ``seglift label --method motion`` at 2048x1024 against the bare library calls (DESIGN, budgets).

    python benchmarks/label_speed.py [--frames 41] [--repeats 5] [--presets medium fast] [--memory 100 1000]
    python benchmarks/label_speed.py --presets --methods motion inpaint refine --model RUN [--refiner RUN] --frames 21
    python benchmarks/label_speed.py --presets --methods refine --model RUN --motion raft:FILE --direction forward

A clip of $SEGLIFT_DATA/camvid/dense_a is enlarged to 2048x1024 in a temporary folder. The bare serial sum is what no
labelling can do without, one call after the other: decode each frame, one DIS flow each way per adjacent pair, the
remaps that carry map and label from both sides, three PNGs a frame. Both run in a process of their own with the same
number of threads, in turn, and the ratio of wall times is taken pair by pair; the median counts. ``--memory`` compares
the peak memory of long clips (the same frames again under new names), one keyframe in all of them included.
``--methods`` gives frames/s and peak memory of whole commands in turn, with a model and a refiner that are trained.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SIZE = (2048, 1024)


def make_clip(folder: Path, count: int, keyframe_every: int | None) -> None:
    """Writes frames and labels of the real clip at 2048x1024, there and back again for more than it has."""
    data = Path(os.environ["SEGLIFT_DATA"]) / "camvid" / "dense_a"
    stems = sorted(path.stem for path in (data / "images").glob("*.png"))
    for name in ("images", "labels", "store"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        position = index % (2 * len(stems) - 2)
        stem = stems[position if position < len(stems) else 2 * len(stems) - 2 - position]
        store = folder / "store" / f"{stem}.png"
        if not store.exists():
            image = cv2.imread(str(data / "images" / f"{stem}.png"))
            cv2.imwrite(str(store), cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC))
        (folder / "images" / f"{index:06d}.png").symlink_to(store)
        if index == 0 or (keyframe_every is not None and index % keyframe_every == 0):
            label = cv2.imread(str(data / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
            enlarged = cv2.resize(label, SIZE, interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / "labels" / f"{index:06d}.png"), enlarged)


def bare_sum(folder: Path, preset: int, threads: int) -> None:
    """The serial library calls."""
    cv2.setNumThreads(threads)
    out = folder / "bare"
    out.mkdir(exist_ok=True)
    frames = sorted((folder / "images").glob("*.png"))
    labels = {path.stem: path for path in (folder / "labels").glob("*.png")}
    keys = [index for index, path in enumerate(frames) if path.stem in labels]
    dis = cv2.DISOpticalFlow.create(preset)
    ys, xs = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    identity = np.dstack((xs, ys))
    for left, right in itertools.pairwise(keys):
        gray = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY) for path in frames[left : right + 1]]
        forward = [dis.calc(b, a, None) for a, b in itertools.pairwise(gray)]
        backward = [dis.calc(a, b, None) for a, b in itertools.pairwise(gray)]
        for key, flows in ((left, forward), (right, backward[::-1])):
            label = cv2.imread(str(labels[frames[key].stem]), cv2.IMREAD_UNCHANGED)
            carried = identity
            for flow in flows[:-1]:
                carried = cv2.remap(carried, identity + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                cv2.remap(label, carried, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        for path in frames[left:right]:
            for _ in range(3):
                cv2.imwrite(str(out / path.name), label)


def timed(command: list[str], threads: int) -> tuple[float, int]:
    """Wall seconds and peak memory in bytes of a process."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    begin = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if process.stderr is not None:
        errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(errors.decode())
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def label_command(folder: Path, *options: str) -> list[str]:
    """``seglift label`` on the clip, from nothing."""
    return [
        *(sys.executable, "-m", "seglift", "label", str(folder / "images"), "--labels", str(folder / "labels")),
        *("--space", "camvid11", *options, "--out", str(folder / "out"), "--overwrite"),
    ]


def motion_command(folder: Path, preset: str) -> list[str]:
    """The same by motion alone, with a preset of DIS."""
    return label_command(folder, "--method", "motion", "--motion", f"dis:{preset}")


def measure_speed(folder: Path, presets: list[str], repeats: int, threads: int) -> None:
    """Prints the ratio of wall times for each preset."""
    from seglift.motion.dis import PRESETS

    for preset in presets:
        ratios, walls, stages = [], [], {}
        for _ in range(repeats):
            bare = [sys.executable, __file__, "--bare", str(folder), str(PRESETS[preset]), str(threads)]
            reference, _ = timed(bare, threads)
            wall, _ = timed(motion_command(folder, preset), threads)
            ratios.append(wall / reference)
            walls.append((wall, reference))
            stages = json.loads((folder / "out" / "timing.json").read_text())
        print(f"preset {preset}: label / bare = {statistics.median(ratios):.2f} (all: {[round(r, 2) for r in ratios]})")
        print("  wall seconds label, bare:", [(round(a, 1), round(b, 1)) for a, b in walls])
        print("  last run:", stages["seconds"])


def measure_methods(folder: Path, given: argparse.Namespace) -> None:
    """Prints frames/s and peak memory of each method, and of refine with a trained network where one is given."""
    shared = ["--motion", given.motion, "--direction", given.direction, "--device", given.device]
    ways = {method: ["--method", method, *shared] for method in given.methods}
    for method in set(ways) - {"motion"}:
        ways[method] += ["--model", given.model]
    if given.refiner is not None:
        ways["refine + network"] = [*ways["refine"], "--refiner", given.refiner]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, float] = {}
    for _ in range(given.repeats):
        for name, options in ways.items():
            wall, peaks[name] = timed(label_command(folder, *options), given.threads)
            rates[name].append(given.frames / wall)
    for name, all_rates in rates.items():
        spread, peak = ", ".join(f"{rate:.2f}" for rate in all_rates), peaks[name] / 2**20
        print(f"{name}: {statistics.median(all_rates):.2f} frames/s (all: {spread}), peak {peak:.0f} MiB")


def measure_memory(counts: list[int], threads: int) -> None:
    """Prints the peak memory for clips of each length: a keyframe every 20 frames, and one keyframe in all."""
    for every in (20, None):
        for count in counts:
            with tempfile.TemporaryDirectory() as name:
                make_clip(Path(name), count, every)
                wall, peak = timed(motion_command(Path(name), "fast"), threads)
            what = f"keyframe every {every}" if every else "one keyframe"
            print(f"{count} frames, {what}: peak {peak / 2**20:.0f} MiB, {count / wall:.2f} frames/s", flush=True)


def main() -> None:
    """Parses the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=41)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--presets", nargs="*", default=["medium", "fast"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    parser.add_argument("--methods", nargs="*", default=[], choices=("motion", "semantic", "inpaint", "refine"))
    parser.add_argument("--model", help="a trained model, for --methods other than motion")
    parser.add_argument("--refiner", help="a refiner trained for that model, for --methods refine")
    parser.add_argument("--motion", default="dis", help="for --methods, as of seglift label")
    parser.add_argument("--direction", default="both", help="the same")
    parser.add_argument("--device", default="auto", help="the same")
    parser.add_argument("--bare", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare_sum(Path(options.bare[0]), int(options.bare[1]), int(options.bare[2]))
        return
    if options.model is None and set(options.methods) - {"motion"}:
        parser.error("--methods other than motion need --model")
    if options.refiner is not None and "refine" not in options.methods:
        parser.error("--refiner needs --methods refine")
    with tempfile.TemporaryDirectory() as name:
        make_clip(Path(name), options.frames, 20)
        if options.presets:
            measure_speed(Path(name), options.presets, options.repeats, options.threads)
        if options.methods:
            measure_methods(Path(name), options)
    if options.memory:
        measure_memory(options.memory, options.threads)


if __name__ == "__main__":
    main()
