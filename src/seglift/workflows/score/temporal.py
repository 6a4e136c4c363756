"""Temporal consistency of predictions: each frame's labels against those of the frame before, carried by motion."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seglift.base.ahead import work_ahead
from seglift.base.counts import counted
from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.base.threads import threads_per_call, worker_count
from seglift.labels.reading import read_label
from seglift.labels.space import Array8, LabelSpace
from seglift.metrics.temporal_consistency import TemporalConsistency
from seglift.motion.consistency import occluded
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.maps import map_from_flow
from seglift.motion.named import get_estimator
from seglift.motion.warp import warp_labels
from seglift.video.clip import check_label_size, pair_labels
from seglift.video.frames import Frames, open_frames
from seglift.workflows.score.text import number, percent

SHOW_PROGRESS_FROM = 20
"""Fewer pairs of frames are compared before anybody wonders."""


@dataclass(frozen=True)
class TemporalScores:
    """Consistency of a clip's predictions and the name of the motion that carried them."""

    consistency: TemporalConsistency
    motion: str

    def __add__(self, other: TemporalScores) -> TemporalScores:
        if self.motion != other.motion:
            raise ValueError(f"cannot add consistency by {self.motion} and by {other.motion}")
        return TemporalScores(self.consistency + other.consistency, self.motion)

    def as_json(self) -> dict[str, float | str | None]:
        """``temporal_consistency`` of ``score --json``: fractions 0..1, null where there is nothing to compare."""
        return {
            "miou": number(self.consistency.miou()),
            "agreement": number(self.consistency.agreement()),
            "motion": self.motion,
            "pairs": self.consistency.pairs,
        }

    def line(self) -> str:
        """For a person, in percent."""
        consistency = self.consistency
        return (
            f"temporal consistency: mIoU {percent(consistency.miou())}, agreement {percent(consistency.agreement())}"
            f" ({counted(consistency.pairs, 'pair')} of neighbouring frames, motion {self.motion})"
        )


class Neighbours:
    """Neighbouring frames of one scene that both have predictions.

    Args:
        frames: a video file or a folder of images.
        folder: holds the predictions of one clip.
        chosen: those of them that may be compared.
        motion: name of the motion estimator.
        cuts: stems of the first frames of scenes; such a frame is not compared with the one before.

    Raises:
        UserError: frames or motion cannot be had, a prediction belongs to no frame, or no pair is left.
    """

    def __init__(
        self, frames: Path, folder: Path, chosen: Collection[Path], motion: str, cuts: Collection[str] = ()
    ) -> None:
        self.frames: Frames = open_frames(frames)
        paired = pair_labels(self.frames.stems, folder)
        self.labels = {index: path for index, path in paired.items() if path in chosen}
        self.cuts = {index for index, stem in enumerate(self.frames.stems) if stem in cuts}
        self.later = sorted(index for index in self.labels if index - 1 in self.labels and index not in self.cuts)
        if not self.later:
            raise UserError(
                f"no two neighbouring frames of {frames} are left to compare; predict neighbours of one scene, keep "
                "frames between keyframes, or leave --frames out"
            )
        self.motion, self.device = motion, resolve_device("auto")
        self.estimator = get_estimator(motion, self.device)

    def score(self, space: LabelSpace) -> TemporalScores:
        """Compares all pairs, a few frames in memory at a time.

        Raises:
            UserError: a frame or a label cannot be read, sizes differ, or ids are outside the space.
        """
        total = TemporalConsistency.empty(space.num_train)
        work = functools.partial(_compare, self.estimator, space.num_train)
        bar = ProgressBar(len(self.later), "comparing", "pairs", quiet=len(self.later) < SHOW_PROGRESS_FROM)
        with bar, threads_per_call(1):
            for one in work_ahead(work, self._read(space), worker_count()):
                total += one
                bar.advance()
        return TemporalScores(total, self.motion)

    def _read(self, space: LabelSpace) -> Iterator[_Pair]:
        """The pairs in order; each frame and each label is read once."""
        looks_back = wants_previous(self.estimator)

        @functools.lru_cache(maxsize=4)
        def frame(index: int) -> Tensor:
            return torch.from_numpy(self.frames[index]).permute(2, 0, 1)[None].to(self.device)

        @functools.lru_cache(maxsize=2)
        def label(index: int) -> Array8:
            path = self.labels[index]
            labels = read_label(path, space)
            check_label_size(path, labels.shape, self.frames.size)
            return space.to_train(labels)

        for index in self.later:
            around = [
                place if looks_back and 0 <= place < len(self.frames) and border not in self.cuts else None
                for place, border in ((index - 2, index - 1), (index + 1, index + 1))
            ]
            before, after = (None if place is None else frame(place) for place in around)
            yield _Pair(frame(index - 1), frame(index), before, after, label(index - 1), label(index))


@dataclass(frozen=True)
class _Pair:
    """A frame and the one before, uint8 [1, 3, H, W], the ones around them where motion wants them, and train ids."""

    earlier: Tensor
    later: Tensor
    before: Tensor | None
    after: Tensor | None
    earlier_labels: Array8
    later_labels: Array8


@torch.inference_mode()
def _compare(estimator: MotionEstimator, num_classes: int, pair: _Pair) -> TemporalConsistency:
    flow = estimator(pair.earlier, pair.later, pair.before).cpu()
    opposite = estimator(pair.later, pair.earlier, pair.after).cpu()
    visible = ~occluded(flow, opposite)[0].numpy()
    carried = warp_labels(torch.from_numpy(pair.earlier_labels)[None], map_from_flow(flow))[0].numpy()
    return TemporalConsistency.of(np.ascontiguousarray(carried), pair.later_labels, visible, num_classes)
