"""How well motion carries pictures and labels: reconstruction quality, and motion-only label mIoU by distance.

    python benchmarks/motion_quality.py --motions dis sdcnet:runs/vrec [--clips camvid/dense_a] [--streets town/]

Pictures: each frame made by warping its neighbour (real frames, both directions) by the estimated motion, against
copying the neighbour: PSNR and SSIM, means over the pairs. Labels: one keyframe carried 10 frames each way without any
fusion, at every step by the same flows; mIoU pooled over the keyframes and both directions, in percent, by distance;
void ground truth left out, a void prediction counts as wrong. camvid/dense_a has keyframes at 10, 15, ... 40 (folder in
SEGLIFT_DATA); a street dataset one in the middle of every clip of its split val.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from seglift.base.progress import ProgressBar
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.catalogue import open_dataset
from seglift.labels.reading import read_label
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.metrics.confusion import Confusion
from seglift.metrics.image_quality import ImageQuality
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.maps import map_from_flow
from seglift.motion.named import get_estimator
from seglift.motion.warp import warp_image
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.state import FramePair, Origin, StepMotion, estimate_flow, keyframe_state
from seglift.video.clip import open_clip

REACH = 10
POLICIES = ("once, replicated", "once, void", "recursive, replicated", "recursive, void")


@dataclass(frozen=True)
class Labelled:
    """A clip with every frame labelled: RGB uint8 [1, 3, H, W] and space index uint8 [1, H, W] by frame."""

    frames: list[Tensor]
    labels: list[Tensor]
    keys: tuple[int, ...]
    space: LabelSpace


@dataclass
class Results:
    """Of one motion: pictures, and labels by policy and distance."""

    space: LabelSpace
    pictures: ImageQuality = field(default_factory=ImageQuality.empty)
    labels: dict[tuple[str, int], Confusion] = field(default_factory=dict)

    def add(self, policy: str, distance: int, prediction: Tensor, truth: Tensor) -> None:
        """Counts one labelled frame."""
        counted = self.labels.setdefault((policy, distance), Confusion.empty(self.space.num_train))
        counted.update(self.space.to_train(prediction[0].numpy()), self.space.to_train(truth[0].numpy()))


def dense_clip(folder: Path) -> Labelled:
    """A folder with images and labels of every frame, CamVid's classes."""
    clip, space = open_clip(folder / "images", folder / "labels"), get_space("camvid11")
    frames = [torch.from_numpy(clip.frames[index]).permute(2, 0, 1)[None] for index in range(len(clip.frames))]
    labels = [torch.from_numpy(read_label(keyframe.label, space))[None] for keyframe in clip.keyframes]
    return Labelled(frames, labels, tuple(range(10, 41, 5)), space)


def street_clips(root: Path) -> Iterator[Labelled]:
    """The clips of the split val of a dataset in the generic layout, every frame labelled."""
    dataset = open_dataset("folder", root, "val")
    for name in dict.fromkeys(item.clip for item in dataset.items):
        items = [item for item in dataset.items if item.clip == name]
        frames = [torch.from_numpy(item.image.read()).permute(2, 0, 1)[None] for item in items]
        labels = [torch.from_numpy(item.label.read())[None] for item in items if item.label is not None]
        yield Labelled(frames, labels, (len(items) // 2,), dataset.space)


def measure(clip: Labelled, motion: MotionEstimator, results: Results) -> None:
    """Carries every keyframe of the clip both ways, and makes every frame that is passed from its neighbour."""
    void = clip.space.unknown_index
    kinds = (MotionOnly(), MotionOnly(False, void), MotionOnly(True), MotionOnly(True, void))
    carriers = dict(zip(POLICIES, kinds, strict=True))
    known: dict[tuple[int, int], Tensor] = {}
    for key in clip.keys:
        origin = Origin(clip.labels[key], clip.frames[key])
        for indices in (range(key, min(key + REACH + 1, len(clip.frames))), range(key, max(key - REACH, 0) - 1, -1)):
            states = {name: keyframe_state(origin) for name in POLICIES}
            for source, target in pairwise(indices):
                if (source, target) not in known:
                    known[source, target] = flow_between(clip, motion, source, target, results)
                flow = known[source, target]
                step = StepMotion(flow, torch.zeros_like(flow[:, 0]))
                pair = FramePair(clip.frames.__getitem__, source, target)
                for name, carrier in carriers.items():
                    states[name] = carrier.step(states[name], pair, step)
                    results.add(name, abs(target - key), states[name].labels, clip.labels[target])


def flow_between(clip: Labelled, motion: MotionEstimator, source: int, target: int, results: Results) -> Tensor:
    """Flow onto ``target``, by which its picture is made and scored."""
    before = 2 * source - target
    seen = clip.frames[before] if wants_previous(motion) and 0 <= before < len(clip.frames) else None
    flow = estimate_flow(motion, clip.frames[source], clip.frames[target], seen)
    made = warp_image(clip.frames[source].float() / 255, map_from_flow(flow))
    results.pictures.update(made, clip.frames[target].float() / 255)
    return flow


class Copy:
    """No motion: the picture before stands for the next."""

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Zero flow, float32 [1, 2, H, W]."""
        return torch.zeros(1, 2, *source.shape[2:])


def report(name: str, results: Results, policies: list[str]) -> None:
    """Prints the rows of one motion."""
    quality = results.pictures
    print(f"{name}: PSNR {quality.psnr():.2f} dB, SSIM {quality.ssim():.4f}, {quality.frames} pictures")
    for policy in policies:
        values = [100 * results.labels[policy, distance].miou() for distance in range(1, REACH + 1)]
        cells = " ".join(f"{value:5.1f}" for value in values)
        print(f"  {policy:22s} {cells}  mean {sum(values) / len(values):.2f}", flush=True)


def main() -> None:
    """Parses the options and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motions", nargs="+", default=["dis"])
    parser.add_argument("--clips", nargs="*", default=["camvid/dense_a"])
    parser.add_argument("--streets", type=Path, help="a dataset that `seglift streets` wrote")
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=POLICIES)
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    sets = {name: [dense_clip(Path(os.environ["SEGLIFT_DATA"]) / name)] for name in options.clips}
    if options.streets is not None:
        sets["streets"] = list(street_clips(options.streets))
    for name, clips in sets.items():
        print(f"{name}: by distance 1..{REACH}")
        for motion in ("copy", *options.motions):
            estimator = Copy() if motion == "copy" else get_estimator(motion)
            results = Results(clips[0].space)
            with (
                threads_per_call(worker_count()),
                torch.inference_mode(),
                ProgressBar(len(clips), motion, "clips") as bar,
            ):
                for clip in clips:
                    measure(clip, estimator, results)
                    bar.advance()
            report(motion, results, options.policies)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
