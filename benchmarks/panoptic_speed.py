"""Time of panoptic quality and instance AP, against cityscapesScripts on the same files.

    python benchmarks/panoptic_speed.py [--images 3] [--repeats 5]

Generated 2048x1024 streets with 40 objects each; both sides start from their files, or from the same files read into
memory before, and end with the scores, in one process on one thread, whose CPU time is taken. cityscapesScripts gets
the files that it asks for (COCO panoptic PNGs; one mask for each predicted object), whose making is not counted.
Medians over ``--repeats`` turns, the two taking turns in one run. Scoring what was read is to be 10 times as fast;
with the files, reading is most of it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from seglift.labels.instances import read_cityscapes
from seglift.labels.space_file import get_space
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality
from seglift.metrics.segment_overlaps import Panoptic

if not hasattr(np, "in1d"):  # numpy 2 has it no more, cityscapesScripts calls it still
    np.in1d = np.isin  # type: ignore[attr-defined]

from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as InstanceLevel
from cityscapesscripts.evaluation import evalPanopticSemanticLabeling as PanopticLevel
from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic

HEIGHT, WIDTH = 1024, 2048
BUDGET = 10.0
SPACE = get_space("cityscapes")

Ids = npt.NDArray[np.uint16]


def draw_street(rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Truth and prediction as instanceIds: bands of stuff with a ragged border, ellipses before them, some void."""
    truth = np.full((HEIGHT, WIDTH), 7, np.uint16)
    for raw, height in ((11, 620), (21, 420), (23, 250)):
        border = height + np.cumsum(rng.integers(-3, 4, WIDTH))
        truth[np.arange(HEIGHT)[:, None] < border] = raw
    truth[960:] = 1
    found = np.roll(truth, 3, axis=0)
    for number in range(40):
        raw = int(rng.choice([24, 26, 33, 25]))
        at, size = rng.integers((0, 300), (WIDTH, 950)), rng.integers(4, 110, 2)
        for values, moved in ((truth, 0), (found, int(rng.integers(-6, 7)))):
            if values is truth or rng.random() < 0.9:
                cv2.ellipse(values, (int(at[0]) + moved, int(at[1])), size.tolist(), 0, 0, 360, raw * 1000 + number, -1)
    truth[rng.random((HEIGHT // 64, WIDTH // 64)).repeat(64, 0).repeat(64, 1) < 0.02] = 0
    return truth, found


class Files:
    """The same images in the layouts of both sides."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder, self.known = folder, []
        self.truth, self.found, self.texts = [], [], []
        rng = np.random.default_rng(0)
        for index in range(images):
            stem = f"ulm_000000_{index:06d}"
            for side, paths, values in zip(
                ("gtFine", "found"), (self.truth, self.found), draw_street(rng), strict=True
            ):
                path = folder / side / "val/ulm" / f"{stem}_gtFine_instanceIds.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), values)
                paths.append(str(path))
            self._write_masks(folder / "results", stem, values)
        for side in ("gtFine", "found"):
            convert2panoptic(str(folder / side), str(folder / side), setNames=["val"])

    def pairs(self) -> Iterator[tuple[Panoptic, Panoptic]]:
        """Prediction and truth of each image, from memory where they are there."""
        if self.known:
            yield from self.known
        else:
            for pair in zip(self.found, self.truth, strict=True):
                found, truth = (read_cityscapes(Path(path), SPACE) for path in pair)
                yield found, truth

    @contextlib.contextmanager
    def in_memory(self) -> Iterator[None]:
        """Inside, nobody reads a picture from the disk."""
        self.known = list(self.pairs())
        paths = self.folder.rglob("*.png")
        pictures = {os.path.realpath(path): Image.open(path) for path in paths}
        for picture in pictures.values():
            picture.load()
        try:
            with mock.patch.object(Image, "open", lambda path: pictures[os.path.realpath(path)]):
                yield
        finally:
            self.known = []

    def _write_masks(self, folder: Path, stem: str, values: Ids) -> None:
        folder.mkdir(exist_ok=True)
        lines = []
        for value in np.unique(values[values >= 1000]).tolist():
            cv2.imwrite(str(folder / f"{stem}_{value}.png"), (values == value).astype(np.uint8) * 255)
            lines.append(f"{stem}_{value}.png {value // 1000} 1.0\n")
        (folder / f"{stem}.txt").write_text("".join(lines))
        self.texts.append(str(folder / f"{stem}.txt"))


def our_panoptic(files: Files) -> float:
    score = PanopticQuality.empty(SPACE)
    for found, truth in files.pairs():
        score.update(found, truth)
    return score.mean().pq


def our_instances(files: Files) -> float:
    score = InstanceAP.empty(SPACE)
    for found, truth in files.pairs():
        score.update(found, truth)
    return score.mean()[0]


def their_panoptic(files: Files) -> float:
    sides = [
        json.loads((files.folder / side / "cityscapes_panoptic_val.json").read_text()) for side in ("gtFine", "found")
    ]
    folders = [str(files.folder / side / "cityscapes_panoptic_val") for side in ("gtFine", "found")]
    pairs = list(zip(sides[0]["annotations"], sides[1]["annotations"], strict=True))
    categories = {row["id"]: row for row in sides[0]["categories"]}
    stat = PanopticLevel.pq_compute_single_core(0, pairs, *folders, categories)
    return float(stat.pq_average(categories, isthing=None)[0]["pq"])


def their_instances(files: Files) -> float:
    options = InstanceLevel.args
    options.quiet, options.predictionPath = True, str(files.folder / "results")
    InstanceLevel.setInstanceLabels(options)
    known = InstanceLevel.instances2dict(files.truth)
    matches = InstanceLevel.matchGtWithPreds(files.texts, files.truth, known, options)
    return float(InstanceLevel.computeAverages(InstanceLevel.evaluateMatches(matches, options), options)["allAp"])


def take_turns(works: dict[str, Callable[[Files], float]], files: Files, repeats: int) -> dict[str, float]:
    """Median CPU seconds of each work, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begin = time.process_time()
            work(files)
            if turn:
                seconds[name].append(time.process_time() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    """Prints a line for each score; status 1 where they differ or ours is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(
        f"numpy {np.__version__}, {os.cpu_count()} cores, {options.images} of {WIDTH}x{HEIGHT}, {options.repeats} turns"
    )
    least = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            files = Files(Path(folder), options.images)
        for name, ours, theirs in (
            ("panoptic quality", our_panoptic, their_panoptic),
            ("instance AP", our_instances, their_instances),
        ):
            for source, state in (("files", contextlib.nullcontext), ("memory", files.in_memory)):
                with contextlib.redirect_stdout(io.StringIO()), state():
                    mine, other = ours(files), theirs(files)
                    found = take_turns({"ours": ours, "theirs": theirs}, files, options.repeats)
                if abs(mine - other) > 1e-9:
                    print(f"{name}: {mine} is not {other}")
                    return 1
                ratio = found["theirs"] / found["ours"]
                least = min(least, ratio) if source == "memory" else least
                times = ", ".join(f"{who} {1e3 * value / options.images:.1f} ms" for who, value in found.items())
                print(f"{name} {mine:.4f} from {source}: {times} an image; {ratio:.1f} times as fast")
    print(f"budget: {BUDGET:.0f} times from memory")
    return int(least < BUDGET)


if __name__ == "__main__":
    sys.exit(main())
