"""Which labels will come back to which labelled frames of a dataset; nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.datasets.catalogue import VIDEO_OF
from seglift.datasets.clip_around import SourceFrames, frames_of, reach
from seglift.datasets.dataset import Dataset, Item, Source
from seglift.labels.space import LabelSpace
from seglift.propagation.cycle import CYCLE, KEYFRAME, ReturnConfig

SIDES = {-1: "before", 1: "after"}


@dataclass(frozen=True, order=True)
class Return:
    """One labelling that comes back; see :class:`~seglift.propagation.cycle.Returned`."""

    kind: str
    side: int
    length: int

    @property
    def file(self) -> str:
        """Name of the PNG of its labels."""
        return f"{self.kind}_{SIDES[self.side]}_{self.length}.png"

    @property
    def warped_file(self) -> str:
        """Name of the PNG of the picture that comes with it."""
        return f"warped_{SIDES[self.side]}.png"


@dataclass(frozen=True)
class PlannedFrame:
    """A labelled frame with what comes back to it.

    Attributes:
        item: the labelled frame.
        space: label space of the labels.
        frames: it and its neighbours.
        key: its index in them.
        labels: labels by index, its own among them.
        reach: neighbours before and after it, as far as they are used.
        returns: what comes back.
    """

    item: Item
    space: LabelSpace
    frames: SourceFrames
    key: int
    labels: Mapping[int, Source]
    reach: tuple[int, int]
    returns: tuple[Return, ...]

    def fingerprint(self) -> str:
        """Of the content of frames and labels (files are sampled), and of what comes back."""
        labels = [(index, source.fingerprint()) for index, source in sorted(self.labels.items())]
        returns = [(one.kind, one.side, one.length) for one in self.returns]
        classes = [(entry.id, entry.train_id) for entry in self.space.classes]
        return fingerprint_values(self.frames.fingerprint(), self.key, labels, returns, classes)


def plan_returns(dataset: Dataset, config: ReturnConfig, looks_back: bool = False) -> tuple[PlannedFrame, ...]:
    """The labelled frames of a dataset to which something comes back, in the dataset's order.

    Args:
        dataset: opened.
        config: which labels come back.
        looks_back: whether the motion estimator wants the frame before the one that labels come from.

    Raises:
        UserError: not one labelled frame has what ``config`` asks for.
    """
    labelled = {str(item.image): item.label for item in dataset.items if item.label is not None}
    planned = [_plan(dataset, item, labelled, config, int(looks_back)) for item in dataset.items if item.label]
    kept = tuple(frame for frame in planned if frame.returns)
    if not kept:
        distances = ", ".join(map(str, sorted({*config.lengths, *config.keyframes})))
        advice = VIDEO_OF.get(dataset.name, "give a dataset with video")
        raise UserError(
            f"none of the {len(planned)} labelled images of {dataset.name} {dataset.split} has neighbours over which"
            f" labels come back (asked for {distances} frames); {advice}"
        )
    return kept


def _plan(
    dataset: Dataset, item: Item, labelled: Mapping[str, Source], config: ReturnConfig, margin: int
) -> PlannedFrame:
    found = reach(dataset, item, config.furthest + margin, config.furthest + margin)
    frames = frames_of(item, found)
    offsets = list(found)
    labels = {index: labelled[str(source)] for index, source in enumerate(found.values()) if str(source) in labelled}
    sides = (min(config.furthest, -offsets[0]), min(config.furthest, offsets[-1]))
    returns: list[Return] = []
    for side, far in zip(SIDES, sides, strict=True):
        returns += [Return(CYCLE, side, length) for length in config.lengths_within(far)]
        returns += [
            Return(KEYFRAME, side, distance)
            for distance in config.keyframes_within(far)
            if frames.reference + side * distance in labels
        ]
    return PlannedFrame(item, dataset.space, frames, frames.reference, labels, sides, tuple(returns))
