"""Images per second of the class index, with nothing known and with everything known from the cache.

    python benchmarks/class_index_speed.py [--count 200] [--threads 2] [--processes]

Labels of 1024x2048 with the classes of Cityscapes are drawn in a temporary folder: a few hundred overlapping ellipses,
bars and ragged edges, about as large as PNG as the data set's own. Where SEGLIFT_DATA is set, camvid/train is measured
too. ``--processes`` compares with a pool of processes that do the same work. Files are in the system's cache: what is
measured is decoding and counting, not the disk.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from seglift.base.ahead import work_ahead
from seglift.base.threads import threads_per_call
from seglift.datasets.class_centroids import LabelSummary, summarize
from seglift.datasets.class_index import TILE, build_class_index
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.labels.builtin import BUILTIN_SPACES


def draw_label(generator: np.random.Generator, height: int = 1024, width: int = 2048) -> np.ndarray:
    """A label of raw Cityscapes ids with shapes of many sizes, whose edges wobble as a human's do."""
    label = np.full((height, width), 7, np.uint8)
    label[: height // 2] = 11
    ids = [8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 4]
    for _ in range(300):
        centre = (int(generator.integers(width)), int(generator.integers(height)))
        axes = tuple(int(value) for value in generator.gamma(1.2, 40, 2) + 2)
        angle = np.linspace(0, 2 * np.pi, 60)
        wobble = 1 + 0.15 * generator.standard_normal(60)
        points = np.stack((centre[0] + axes[0] * wobble * np.cos(angle), centre[1] + axes[1] * wobble * np.sin(angle)))
        cv2.fillPoly(label, [points.T.astype(np.int32)], int(generator.choice(ids)))
    return label


def make_labels(folder: Path, count: int) -> Dataset:
    """``count`` generated labels."""
    generator = np.random.default_rng(0)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:05d}.png"), draw_label(generator))
    return open_labels("generated", folder, "cityscapes")


def open_labels(name: str, folder: Path, space: str) -> Dataset:
    """The labels of a folder; the index never reads images."""
    known = BUILTIN_SPACES[space]
    paths = sorted(folder.glob("*.png"))
    items = tuple(Item(path.stem, ImageFile(path), LabelFile(path, known)) for path in paths)
    return Dataset(name, folder, "train", known, items)


def summary_of(label: LabelFile) -> LabelSummary:
    """What a process does for each label."""
    return summarize(label.space.to_train(label.read()), TILE, label.space.num_train)


def measure(dataset: Dataset, threads: int, processes: bool) -> None:
    """Prints the rates for one data set."""
    kilobytes = sum(item.label.path.stat().st_size for item in dataset.items) / len(dataset) / 1000
    print(f"{dataset.name}: {len(dataset)} labels of {kilobytes:.0f} kB, {threads} threads")
    with tempfile.TemporaryDirectory() as name:
        for what in ("cold", "warm", "warm"):
            begin = time.perf_counter()
            index = build_class_index(dataset, cache=Path(name), workers=threads, quiet=True)
            seconds = time.perf_counter() - begin
            print(f"  {what}: {len(dataset) / seconds:.0f} labels/s ({seconds:.2f} s, {len(index.items)} records)")
        print(f"  cache: {sum(path.stat().st_size for path in Path(name).iterdir()) / 1000:.0f} kB")
    begin = time.perf_counter()
    with threads_per_call(1):
        for _ in work_ahead(LabelFile.read, [item.label for item in dataset.items], threads):
            pass
    print(f"  reading the labels alone: {len(dataset) / (time.perf_counter() - begin):.0f} labels/s")
    if processes:
        fresh = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        with ProcessPoolExecutor(threads, fresh, cv2.setNumThreads, (1,)) as pool:
            list(pool.map(summary_of, [item.label for item in dataset.items[:threads]]))
            begin = time.perf_counter()
            list(pool.map(summary_of, [item.label for item in dataset.items], chunksize=4))
            print(
                f"  the same in {threads} processes, cold: {len(dataset) / (time.perf_counter() - begin):.0f} labels/s"
            )


def main() -> None:
    """Parses the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(make_labels(Path(name), options.count), options.threads, options.processes)
    if "SEGLIFT_DATA" in os.environ:
        folder = Path(os.environ["SEGLIFT_DATA"]) / "camvid" / "train" / "labels"
        if folder.is_dir():
            measure(open_labels("camvid/train", folder, "camvid11"), options.threads, options.processes)


if __name__ == "__main__":
    main()
