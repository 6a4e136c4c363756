"""Instances through video where every frame has exact ones: panoptic quality and id switches on procedural streets.

    seglift streets town/ --clips 4 --val 4 --frames 41 --seed 7
    python benchmarks/instance_quality.py --streets town/ [--every 5 10 20] [--methods motion]

Every N-th frame of each clip is a keyframe, with its label and instances; as a human's would, the numbers of the
instances begin anew in each. Labelled by ``seglift label``, scored by ``seglift score`` on the frames strictly between
the first and the last keyframe that are none. Quality is pooled over the clips; switches are summed. Beside them stands
how many switches there were if no object kept its number from one keyframe to the next: one for each object that two
neighbouring keyframes show. Time is that of the whole command, with instances over without, the median of the clips.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from seglift.labels.instances import CITYSCAPES_FACTOR
from seglift.labels.writing import write_png
from seglift.metrics.id_switches import IdSwitches
from seglift.workflows.label.config import METHODS, LabelConfig
from seglift.workflows.label.run import run_label
from seglift.workflows.score.run import Scores, score_folders

SPACE = "cityscapes"


def number_anew(values: np.ndarray) -> np.ndarray:
    """Instances (uint16 [H, W], Cityscapes' encoding) counted from 0 in each class, in the order of their numbers."""
    result = values.copy()
    things = np.unique(values[values >= CITYSCAPES_FACTOR])
    for raw in np.unique(things // CITYSCAPES_FACTOR):
        for number, value in enumerate(things[things // CITYSCAPES_FACTOR == raw]):
            result[values == value] = raw * CITYSCAPES_FACTOR + number
    return result


def label_clip(images: Path, every: int, method: str, work: Path) -> tuple[Scores, int, float]:
    """Scores of one clip, how many objects two neighbouring keyframes show, and the ratio of times."""
    labels, instances = (Path(str(images).replace("/images/", f"/{kind}/")) for kind in ("labels", "instances"))
    stems = sorted(path.stem for path in images.iterdir())
    keys, objects, shown = work / "keys", work / "objects", []
    keys.mkdir()
    for stem in stems[::every]:
        (keys / f"{stem}.png").symlink_to((labels / f"{stem}.png").resolve())
        values = np.array(Image.open(instances / f"{stem}.png"))
        write_png(objects / f"{stem}.png", number_anew(values))
        shown.append(np.unique(values[values >= CITYSCAPES_FACTOR]))
    seconds = []
    for name, given in (("plain", "none"), ("out", str(objects))):
        begin = time.monotonic()
        run_label(LabelConfig(images, keys, work / name, SPACE, method=method, instances=given))
        seconds.append(time.monotonic() - begin)
    scores = score_folders(work / "out", labels, SPACE, keyframes=keys, between=True, allow_missing=True)
    both = sum(len(np.intersect1d(first, second)) for first, second in pairwise(shown))
    return scores, both, seconds[1] / seconds[0]


def measure(clips: Sequence[Path], every: int, method: str) -> Iterator[str]:
    """The cells of one row of the table."""
    pooled, tracked, linkable, ratios = None, [], 0, []
    for images in clips:
        with tempfile.TemporaryDirectory() as folder:
            scores, both, ratio = label_clip(images, every, method, Path(folder))
        tracked.append(scores.id_switches or IdSwitches(scores.space))
        scores.id_switches = None  # of one clip
        linkable, ratios = linkable + both, [*ratios, ratio]
        pooled = scores if pooled is None else pooled.__iadd__(scores)
    if pooled is None or pooled.panoptic is None:
        raise SystemExit("no clip with instances")
    quality = pooled.panoptic.quality
    yield f"{method}, N = {every}"
    yield f"{100 * pooled.confusion.miou():.1f}"
    for things in (None, True, False):
        yield f"{100 * quality.mean(things).pq:.1f}"
    yield f"{sum(one.count() for one in tracked)} of {linkable}"
    yield str(sum(one.objects for one in tracked))
    yield str(sum(one.matches for one in tracked))
    yield f"{statistics.median(ratios):.2f}"


def main() -> None:
    """Parses the options and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streets", type=Path, required=True, metavar="DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--every", type=int, nargs="+", default=[5, 10, 20], metavar="N")
    parser.add_argument(
        "--methods", nargs="+", default=["motion"], choices=[name for name in METHODS if name != "semantic"]
    )
    given = parser.parse_args()
    clips = sorted(path for path in (given.streets / "images" / given.split).iterdir() if path.is_dir())
    rows = [list(measure(clips, every, method)) for method in given.methods for every in given.every]
    print("| | mIoU | PQ | PQ things | PQ stuff | id switches | objects | matches | time |\n" + "|---" * 9 + "|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
