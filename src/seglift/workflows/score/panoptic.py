"""Panoptic quality and instance AP of frames that have instance files on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.labels.instance_files import read_instances
from seglift.labels.instances import CITYSCAPES_FACTOR
from seglift.labels.space import Array8, LabelSpace
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality, Quality
from seglift.metrics.segment_overlaps import Panoptic, find_overlaps
from seglift.video.clip import check_label_size
from seglift.workflows.score.text import number, percent, render_table


@dataclass(frozen=True)
class PanopticScores:
    """Statistics of some frames; those of others add up.

    Attributes:
        quality: panoptic quality.
        precision: instance AP.
        frames: how many.
        ranked: whether predicted objects came with scores; those of instance files, which have none, count alike.
    """

    quality: PanopticQuality
    precision: InstanceAP
    frames: int
    ranked: bool = False

    def __add__(self, other: PanopticScores) -> PanopticScores:
        return PanopticScores(
            self.quality + other.quality,
            self.precision + other.precision,
            self.frames + other.frames,
            self.ranked and other.ranked,
        )

    def as_json(self) -> dict[str, Any]:
        """``panoptic`` and ``instances`` of ``score --json``: fractions 0..1, null where there is nothing to score."""
        quality, (ap, ap50) = self.quality, self.precision.mean()
        classes = self.precision.by_class().items()
        return {
            "panoptic": {
                **_numbers(quality.mean()),
                "things": _numbers(quality.mean(things=True)),
                "stuff": _numbers(quality.mean(things=False)),
                "by_class": {
                    name: None if np.isnan(row.pq) else _numbers(row) for name, row in quality.by_class().items()
                },
            },
            "instances": {
                "ap": number(ap),
                "ap50": number(ap50),
                "by_class": {
                    name: None if np.isnan(row[0]) else {"ap": row[0], "ap50": row[1]} for name, row in classes
                },
            },
        }

    def lines(self, frames: int) -> Iterator[str]:
        """Means and tables for a person, in percent; ``frames``: how many were scored in all."""
        every, things, stuff = (self.quality.mean(which) for which in (None, True, False))
        only = "" if self.frames == frames else f"; {counted(self.frames, 'frame')} with instances on both sides"
        yield (
            f"PQ {percent(every.pq)}, SQ {percent(every.sq)}, RQ {percent(every.rq)} "
            f"(PQ of things {percent(things.pq)}, of stuff {percent(stuff.pq)}{only})"
        )
        rows = ((name, *map(percent, row)) for name, row in self.quality.by_class().items())
        yield render_table("Panoptic quality by class", ("class", "PQ", "SQ", "RQ"), rows)
        ap, ap50 = self.precision.mean()
        how = "objects ranked by their scores" if self.ranked else "every predicted object counts with the same score"
        yield f"AP {percent(ap)}, AP50 {percent(ap50)} ({how})"
        pairs = ((name, *map(percent, row)) for name, row in self.precision.by_class().items())
        yield render_table("Instance AP by class", ("class", "AP", "AP50"), pairs)


def read_panoptic(path: Path, label: Path, index: Array8, space: LabelSpace) -> Panoptic:
    """Reads an instance file, whose classes must be those of its label.

    Args:
        path: instance file, in Cityscapes' or KITTI's encoding, or COCO panoptic with its JSON.
        label: the label file, for the error.
        index: its content, uint8 [H, W] space index.
        space: the label space.

    Returns:
        Raw ids uint8 [H, W] and instance numbers uint16 [H, W].

    Raises:
        UserError: unreadable, another size, ids that the space lacks, or see :func:`check_classes`.
    """
    raw, numbers = read_objects(path, space)
    check_label_size(path, raw.shape, (index.shape[0], index.shape[1]))
    check_classes(path, raw, label, index, space)
    return raw, numbers


def read_objects(path: Path, space: LabelSpace) -> Panoptic:
    """Raw ids uint8 [H, W] and instance numbers uint16 [H, W] of an instance file.

    Raises:
        UserError: as :func:`read_instances`, or more objects of a class than can be told apart.
    """
    raw, numbers = read_instances(path, space)
    highest = int(numbers.max(initial=0))
    if highest > CITYSCAPES_FACTOR:
        raise UserError(
            f"{path} has {highest} instances of a class, at most {CITYSCAPES_FACTOR} can be told apart; mark small ones"
            " as a crowd"
        )
    return raw, numbers


def check_classes(path: Path, raw: Array8, label: Path, index: Array8, space: LabelSpace) -> None:
    """Refuses an instance file (raw ids uint8 [H, W]) that contradicts its label (space index uint8 [H, W]).

    Which kind of void a pixel is does not matter, nor which of the ids that share an evaluated class.

    Raises:
        UserError: pixels of another evaluated class.
    """
    differing = int(np.count_nonzero(space.to_train(space.encode(raw, str(path))) != space.to_train(index)))
    if differing:
        raise UserError(
            f"{path} has another class than {label} at {differing} pixels, so one of them is out of date or in "
            "another encoding; make them agree, or move the instance files away to score the labels alone"
        )


def score_panoptic(space: LabelSpace, prediction: Panoptic, truth: Panoptic) -> PanopticScores:
    """Scores of one frame."""
    overlaps = find_overlaps(space, prediction, truth)
    scores = PanopticScores(PanopticQuality.empty(space), InstanceAP.empty(space), 1)
    scores.quality.add(overlaps)
    scores.precision.add(overlaps)
    return scores


def _numbers(quality: Quality) -> dict[str, float | None]:
    return {name: number(value) for name, value in quality._asdict().items()}
