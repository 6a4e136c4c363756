"""Panoptic quality: how well segments, both things and stuff, are found and outlined.

Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4, with COCO's treatment of void and crowds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.metrics.segment_overlaps import Counts, Overlaps, Panoptic, find_overlaps

MATCH = 0.5
"""Segments match above this IoU, by which none has two matches (theorem 1 of the paper)."""


class Quality(NamedTuple):
    """Panoptic, segmentation and recognition quality, each 0..1; all NaN where there is nothing to score."""

    pq: float
    sq: float
    rq: float


@dataclass(frozen=True, eq=False)
class PanopticQuality:
    """Sums for panoptic quality; those of several images or processes add up.

    A predicted and a true segment of one class match where their IoU is above 0.5, the union taken without the part of
    the prediction on void. A thing without instance number is a crowd in the ground truth, which is neither found nor
    missed, and a segment like any other in the prediction. A prediction without match is false unless more than half of
    it lies on void or on a crowd of its class. Void are the classes that are not evaluated (train id 255). All as in
    the ``panopticapi`` evaluation, which Cityscapes took over.

    Attributes:
        space: the label space; C evaluated classes.
        iou: float64 [C], IoU summed over the matches (true positives).
        hits: int64 [C], matches.
        false: int64 [C], predicted segments without match (false positives).
        missed: int64 [C], true segments without match (false negatives).

    Example:
        >>> import numpy as np
        >>> from seglift.labels.builtin import BUILTIN_SPACES
        >>> score = PanopticQuality.empty(BUILTIN_SPACES["cityscapes"])
        >>> truth = np.array([[26, 26, 26, 26, 7, 7]], np.uint8)  # a car of 3 pixels, one of 1, road
        >>> numbers = np.array([[1, 1, 1, 2, 0, 0]], np.uint16)
        >>> found = np.array([[26, 26, 7, 7, 7, 7]], np.uint8)  # a car of 2 pixels, road
        >>> score.update((found, np.array([[5, 5, 0, 0, 0, 0]], np.uint16)), (truth, numbers))
        >>> [round(value, 3) for value in score.by_class()["car"]]  # one of two found, with an IoU of 2 / 3
        [0.444, 0.667, 0.667]
        >>> score.by_class()["road"]  # an IoU of 2 / 4 is no match: one false, one missed
        Quality(pq=0.0, sq=0.0, rq=0.0)
        >>> round(score.mean().pq, 3), round((score + score).mean(things=True).pq, 3), score.mean(things=False).pq
        (0.222, 0.444, 0.0)
    """

    space: LabelSpace
    iou: NDArray[np.float64]
    hits: Counts
    false: Counts
    missed: Counts

    @classmethod
    def empty(cls, space: LabelSpace) -> Self:
        """No image counted yet."""
        classes = space.num_train
        hits, false, missed = (np.zeros(classes, np.int64) for _ in range(3))
        return cls(space, np.zeros(classes), hits, false, missed)

    def update(self, prediction: Panoptic, truth: Panoptic) -> None:
        """Adds one image in place.

        Args:
            prediction: uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 where there is no single object.
            truth: the same of the ground truth.

        Raises:
            ValueError: other dtypes, or sizes that differ.
            UserError: raw ids that the space lacks.
        """
        self.add(find_overlaps(self.space, prediction, truth))

    def add(self, overlaps: Overlaps) -> None:
        """Adds one image, whose segments have been compared already, in place."""
        truth, prediction = overlaps.truth, overlaps.prediction
        true_class, predicted_class = truth.train_ids[overlaps.true], prediction.train_ids[overlaps.predicted]
        void = true_class == IGNORE_TRAIN_ID
        crowd = _crowds(overlaps, self.space)
        same = (true_class == predicted_class) & ~void
        matched, iou = match_segments(overlaps, self.space)
        np.add.at(self.iou, true_class[matched], iou[matched])
        self.hits[:] += self._count(true_class[matched])

        missed = (truth.train_ids != IGNORE_TRAIN_ID) & ~crowd
        missed[overlaps.true[matched]] = False
        self.missed[:] += self._count(truth.train_ids[missed])

        excused = np.where(void | (same & crowd[overlaps.true]), overlaps.pixels, 0)
        share = _sum_at(overlaps.predicted, excused, prediction.pixels.size) / prediction.pixels
        false = (prediction.train_ids != IGNORE_TRAIN_ID) & (share <= MATCH)
        false[overlaps.predicted[matched]] = False
        self.false[:] += self._count(prediction.train_ids[false])

    def __add__(self, other: PanopticQuality) -> PanopticQuality:
        if self.space != other.space:
            raise ValueError(f"cannot add scores in {self.space.name} and {other.space.name}")
        sums = ((self.hits, other.hits), (self.false, other.false), (self.missed, other.missed))
        return PanopticQuality(self.space, self.iou + other.iou, *(mine + theirs for mine, theirs in sums))

    def by_class(self) -> dict[str, Quality]:
        """Quality of each evaluated class by name; NaN where the class has no segment that counts."""
        rows = self._rows()
        return {name: Quality(*row) for name, row in zip(self.space.train_names, rows.tolist(), strict=True)}

    def mean(self, things: bool | None = None) -> Quality:
        """Mean over the classes that have segments which count; NaN without any.

        Args:
            things: of things (True) or stuff (False) alone; None: of all.
        """
        rows = self._rows()
        if things is not None:
            rows = rows[np.isin(np.arange(len(rows)), self.space.thing_train_ids) == things]
        rows = rows[~np.isnan(rows[:, 0])]
        return Quality(*rows.mean(axis=0).tolist()) if len(rows) else Quality(*(3 * [float("nan")]))

    def _rows(self) -> NDArray[np.float64]:
        """PQ, SQ and RQ of each class, float64 [C, 3]; SQ is 0 where nothing matches."""
        whole = self.hits + 0.5 * self.false + 0.5 * self.missed
        segmentation = self.iou / np.maximum(self.hits, 1)
        with np.errstate(invalid="ignore"):
            rows = np.stack([self.iou / whole, segmentation, self.hits / whole], axis=1)
        rows[whole == 0] = np.nan
        return rows

    def _count(self, train_ids: Counts) -> Counts:
        return np.bincount(train_ids, minlength=self.space.num_train)


def match_segments(overlaps: Overlaps, space: LabelSpace) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which predicted and true segments match.

    Args:
        overlaps: N pairs that share pixels.
        space: the label space.

    Returns:
        bool [N], true where both are of one evaluated class, the true one is no crowd and the IoU is above
        :data:`MATCH`; and float64 [N], the IoU, its union taken without the part of the prediction on void.
    """
    truth, prediction = overlaps.truth, overlaps.prediction
    true_class, predicted_class = truth.train_ids[overlaps.true], prediction.train_ids[overlaps.predicted]
    void = true_class == IGNORE_TRAIN_ID
    on_void = _sum_at(overlaps.predicted, np.where(void, overlaps.pixels, 0), prediction.pixels.size)
    union = (truth.pixels[overlaps.true] + (prediction.pixels - on_void)[overlaps.predicted]) - overlaps.pixels
    iou = np.divide(overlaps.pixels, union, out=np.zeros(union.size), where=union > 0)
    same = (true_class == predicted_class) & ~void
    return same & ~_crowds(overlaps, space)[overlaps.true] & (iou > MATCH), iou


def _crowds(overlaps: Overlaps, space: LabelSpace) -> NDArray[np.bool_]:
    """Which of the true segments are crowds, bool [S]."""
    truth = overlaps.truth
    return np.asarray((truth.numbers == 0) & np.isin(truth.train_ids, space.thing_train_ids), np.bool_)


def _sum_at(positions: Counts, amounts: Counts, size: int) -> Counts:
    """Sum of the amounts at each position 0..size-1, int64 [size]."""
    return np.bincount(positions, weights=amounts, minlength=size).astype(np.int64)
