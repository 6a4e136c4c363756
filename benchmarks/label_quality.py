"""Label quality on real video: every method by distance to the keyframe, protocols of the table in RESULTS.md.

    python benchmarks/label_quality.py [--clips camvid/dense_a davis/bus] [--every 5 10 20] [--methods motion inpaint]
    python benchmarks/label_quality.py --methods semantic inpaint --model runs/camvid [--tune]

Two-sided: keyframes at indices 0, N, 2N, ...; scored on the frames strictly between the first and the last keyframe
that are no keyframes (pooled mIoU in percent; void ground truth left out, a void prediction counts as wrong). The
labels are made by ``seglift label`` and scored by ``seglift score``. One-sided (``--one-sided``): keyframes at 10, 15,
... 40, labels carried 10 frames each way, the mean of 20 mIoUs, one for each distance and direction, each pooled over
the keyframes.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from seglift.base.threads import threads_per_call
from seglift.labels.reading import read_label
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.metrics.confusion import Confusion
from seglift.motion.named import get_estimator
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.spill import Spill
from seglift.propagation.state import Origin
from seglift.propagation.traverse import Gap, Walker
from seglift.video.clip import Clip, open_clip
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.run import run_label
from seglift.workflows.score.run import Scores, score_folders

REACH = 10


def space_of(clip: str) -> str:
    """DAVIS has one foreground object, CamVid eleven classes."""
    return "binary" if clip.startswith("davis") else "camvid11"


def number(scores: Scores) -> float:
    """What is reported, in percent: mIoU, or the object's IoU where there is one object."""
    if scores.space.name == "binary":
        return 100.0 * float(scores.confusion.iou()[1])
    return 100.0 * scores.confusion.miou()


def two_sided(data: Path, clip: str, every: int, options: dict[str, object], out: Path) -> Scores:
    """Labels the clip from every N-th label and scores the frames between."""
    labels = sorted((data / clip / "labels").glob("*.png"))
    keyframes = out / "keyframes"
    keyframes.mkdir(parents=True)
    for path in labels[::every]:
        (keyframes / path.name).symlink_to(path.resolve())
    config = LabelConfig(data / clip / "images", keyframes, out / "out", space_of(clip), **options)  # type: ignore[arg-type]
    run_label(config)
    return score_folders(out / "out", data / clip / "labels", space_of(clip), keyframes=keyframes, between=True)


def one_sided(data: Path, motion: str, recursive: bool, void: bool) -> tuple[float, float]:
    """Mean mIoU over distances 1..10 and both directions, and the mIoU at distance 10 (mean of the directions)."""
    space = get_space("camvid11")
    clip = open_clip(data / "camvid" / "dense_a" / "images", data / "camvid" / "dense_a" / "labels")
    carry = MotionOnly(recursive, space.unknown_index if void else None)
    tables = np.array([_one_direction(clip, space, motion, carry, forward) for forward in (True, False)])
    return float(tables.mean()), float(tables[:, -1].mean())


def _one_direction(clip: Clip, space: LabelSpace, motion: str, carry: MotionOnly, forward: bool) -> list[float]:
    pooled = {distance: Confusion.empty(space.num_train) for distance in range(1, REACH + 1)}

    def frame(index: int) -> torch.Tensor:
        return torch.from_numpy(clip.frames[index]).permute(2, 0, 1)[None]

    def origin(index: int) -> Origin:
        return Origin(torch.from_numpy(read_label(clip.keyframes[index].label, space))[None], frame(index))

    walker = Walker(frame, origin, get_estimator(motion), carry, observe=False)
    for key in range(10, 41, 5):
        gap = Gap(key, None, key + 1, key + REACH + 1) if forward else Gap(None, key, key - REACH, key)
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode(), threads_per_call(1):
            for sides in walker.walk(gap, Spill(Path(folder))):
                state = sides.earlier if forward else sides.later
                if state is None:
                    raise RuntimeError("a one-sided walk gave nothing")
                truth = space.to_train(read_label(clip.keyframes[sides.index].label, space))
                pooled[state.distance].update(space.to_train(state.labels[0].numpy()), truth)
    return [100.0 * confusion.miou() for confusion in pooled.values()]


def measure(data: Path, options: argparse.Namespace) -> None:
    """Prints the two-sided table: a row for each clip and method, a column for each N."""
    for clip in options.clips:
        for method in options.methods:
            cells = []
            for every in options.every:
                values = []
                for seed in options.seeds if method != "motion" else [0]:
                    with tempfile.TemporaryDirectory() as folder:
                        chosen: dict[str, object] = {"method": method, "motion": options.motion, "seed": seed}
                        chosen |= {"settings": options.settings, "model_steps": options.model_steps}
                        if method != "motion":
                            chosen |= {"model": options.model, "tune": options.tune}
                        values.append(number(two_sided(data, clip, every, chosen, Path(folder))))
                cells.append(" / ".join(f"{value:.1f}" for value in values))
            print(
                f"{clip:20s} {method:9s} "
                + "  ".join(f"N={n}: {c}" for n, c in zip(options.every, cells, strict=True)),
                flush=True,
            )


def main() -> None:
    """Parses the options and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", default=["camvid/dense_a"])
    parser.add_argument("--every", type=int, nargs="*", default=[5, 10, 20])
    parser.add_argument("--methods", nargs="*", default=["motion", "inpaint"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--motion", default="dis")
    parser.add_argument("--settings", default="product")
    parser.add_argument("--model-steps", type=int, default=LabelConfig.__dataclass_fields__["model_steps"].default)
    parser.add_argument("--model", default="auto", help="a checkpoint in place of one trained on the keyframes alone")
    parser.add_argument("--tune", action="store_true", help="train that checkpoint further on the keyframes")
    parser.add_argument("--one-sided", action="store_true", help="the one-sided table instead")
    options = parser.parse_args()
    data = Path(os.environ["SEGLIFT_DATA"])
    begin = time.monotonic()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    if options.one_sided:
        for motion in ("dis:medium", options.motion):
            for recursive in (True, False):
                for void in (False, True):
                    mean, last = one_sided(data, motion, recursive, void)
                    name = f"{'recursive' if recursive else 'once'}, out of view {'void' if void else 'replicated'}"
                    print(f"{motion:11s} {name:35s} {mean:.1f} (at 10: {last:.1f})", flush=True)
    else:
        measure(data, options)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
