"""Average precision of instances by the definition of Cityscapes' evaluation of instance-level labelling.

Cordts et al., CVPR 2016, section 4.2 (after Hariharan et al. and COCO), and the rules of the data set's script: what
counts as void, groups, small objects, and how the curve of precision over recall is integrated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.metrics.segment_overlaps import Counts, Overlaps, Panoptic, Segments, find_overlaps

THRESHOLDS: NDArray[np.float64] = np.arange(0.5, 1.0, 0.05)
"""IoU above which a predicted object has found a true one: 0.5, 0.55, ... 0.95 (T = 10), as the script spells them."""

SMALLEST = 100
"""Pixels below which a true object need not be found."""

DEFAULT_SCORE = 1.0
"""Of a predicted object that came without."""

Scores = NDArray[np.float64]


@dataclass(eq=False)
class InstanceAP:
    """Counts for the average precision of objects; those of several images or processes add up.

    Found objects are thing pixels with an instance number; without number they are no prediction. A prediction that is
    above the threshold with a group (a thing without number) or a true object below 100 pixels is neither right nor
    false, nor is one of which a larger share than the threshold lies on void, on groups and on small objects of its
    class; as in the script, void are the pixels of classes that are not evaluated and have no instance number, and a
    group below 100 pixels counts twice.

    Attributes:
        space: the label space; C evaluated classes.
        objects: int64 [C], true objects of at least 100 pixels.
        classes: int64 [K], train id of the K kinds of prediction, all of one class with one score.
        scores: float64 [K], their scores.
        hits: int64 [K, T], how many of them found a true object, by threshold.
        false: int64 [K, T], how many were false.

    Example:
        >>> import numpy as np
        >>> from seglift.labels.builtin import BUILTIN_SPACES
        >>> score = InstanceAP.empty(BUILTIN_SPACES["cityscapes"])
        >>> cars = np.full((10, 40), 26, np.uint8)
        >>> number = np.repeat(np.array([1, 2], np.uint16), 20)[None].repeat(10, axis=0)  # two cars of 200 pixels
        >>> found = np.where(np.arange(40) < 34, number, 3).astype(np.uint16)  # the right one in two parts
        >>> score.update((cars, found), (cars, number), scores={(26, 3): 0.5})
        >>> [round(value, 3) for value in score.average_precision()[13, [0, 4, 5]].tolist()]  # above 0.5, 0.7, 0.75
        [1.0, 0.375, 0.375]
    """

    space: LabelSpace
    objects: Counts
    classes: Counts
    scores: Scores
    hits: Counts
    false: Counts

    @classmethod
    def empty(cls, space: LabelSpace) -> Self:
        """No image counted yet."""
        none = np.zeros((0, THRESHOLDS.size), np.int64)
        return cls(space, np.zeros(space.num_train, np.int64), np.zeros(0, np.int64), np.zeros(0), none, none)

    def update(
        self, prediction: Panoptic, truth: Panoptic, scores: Mapping[tuple[int, int], float] | None = None
    ) -> None:
        """Adds one image in place.

        Args:
            prediction: uint8 [H, W] raw ids and uint16 [H, W] instance numbers, 0 where there is no single object.
            truth: the same of the ground truth.
            scores: confidence of predicted objects by raw id and instance number, any finite number; an object that is
                not mentioned has 1.0.

        Raises:
            ValueError: other dtypes, sizes that differ, or a score that is not finite.
            UserError: raw ids that the space lacks.
        """
        self.add(find_overlaps(self.space, prediction, truth), scores)

    def add(self, overlaps: Overlaps, scores: Mapping[tuple[int, int], float] | None = None) -> None:
        """Adds one image, whose segments have been compared already, in place; ``scores`` as for :meth:`update`."""
        given = {} if scores is None else scores
        if not all(math.isfinite(value) for value in given.values()):
            raise ValueError("scores of instances must be finite numbers; leave out those that have none")
        truth, prediction = overlaps.truth, overlaps.prediction
        counted = self._is_object(truth) & (truth.pixels >= SMALLEST)
        found, excused = self._compare(overlaps, counted)
        single = self._is_object(prediction)
        ids = np.array(self.space.ids)[prediction.indices[single]].tolist()
        keys = zip(ids, prediction.numbers[single].tolist(), strict=True)
        self._append(
            prediction.train_ids[single],
            np.array([given.get(key, DEFAULT_SCORE) for key in keys], np.float64),
            (found > THRESHOLDS)[single].astype(np.int64),
            ((found <= THRESHOLDS) & (excused <= THRESHOLDS))[single].astype(np.int64),
        )
        self.objects += np.bincount(truth.train_ids[counted], minlength=self.space.num_train)

    def __add__(self, other: InstanceAP) -> InstanceAP:
        if self.space != other.space:
            raise ValueError(f"cannot add scores in {self.space.name} and {other.space.name}")
        result = InstanceAP(self.space, self.objects + other.objects, self.classes, self.scores, self.hits, self.false)
        result._append(other.classes, other.scores, other.hits, other.false)
        return result

    def average_precision(self) -> NDArray[np.float64]:
        """AP 0..1 by class and threshold, float64 [C, T]; NaN where there is no true object of 100 pixels."""
        result = np.full((self.space.num_train, THRESHOLDS.size), np.nan)
        for train_id in np.flatnonzero(self.objects).tolist():
            own = self.classes == train_id
            result[train_id] = _integrate(self.hits[own], self.false[own], int(self.objects[train_id]))
        return result

    def by_class(self) -> dict[str, tuple[float, float]]:
        """AP (mean over the thresholds) and AP50 of each thing class by name, 0..1; NaN where absent."""
        table = self.average_precision()
        things, names = self.space.thing_train_ids, self.space.train_names
        return {names[n]: (float(table[n].mean()), float(table[n, 0])) for n in things}

    def mean(self) -> tuple[float, float]:
        """AP and AP50, each the mean over the classes that have true objects; NaN without any."""
        table = self.average_precision()[self.objects > 0]
        return (float(table.mean()), float(table[:, 0].mean())) if len(table) else (math.nan, math.nan)

    def _is_object(self, segments: Segments) -> NDArray[np.bool_]:
        return (segments.numbers > 0) & np.isin(segments.train_ids, self.space.thing_train_ids)

    def _compare(self, overlaps: Overlaps, counted: NDArray[np.bool_]) -> tuple[Scores, Scores]:
        """Per predicted segment, each [S, 1]: highest IoU with a counted true object of its class, and the share of it
        that lies on what need not be found; that is above any threshold where the IoU with a group or small object is.
        """
        truth, prediction, predicted = overlaps.truth, overlaps.prediction, overlaps.predicted
        true_class = truth.train_ids[overlaps.true]
        same = (true_class == prediction.train_ids[predicted]) & (true_class != IGNORE_TRAIN_ID)
        iou = overlaps.pixels / (truth.pixels[overlaps.true] + prediction.pixels[predicted] - overlaps.pixels)
        found = np.zeros(prediction.pixels.size)
        np.maximum.at(found, predicted, np.where(same & counted[overlaps.true], iou, 0.0))
        group, small = truth.numbers == 0, truth.pixels < SMALLEST
        void = group[overlaps.true] & (true_class == IGNORE_TRAIN_ID)
        times = void.astype(np.int64) + same * (group.astype(np.int64) + small)[overlaps.true]
        ignored = np.bincount(predicted, weights=times * overlaps.pixels, minlength=prediction.pixels.size)
        return found[:, None], (ignored / prediction.pixels)[:, None]

    def _append(self, classes: Counts, scores: Scores, hits: Counts, false: Counts) -> None:
        """Adds predictions; those of one class with one score are counted together."""
        classes, scores = np.concatenate([self.classes, classes]), np.concatenate([self.scores, scores])
        hits, false = np.concatenate([self.hits, hits]), np.concatenate([self.false, false])
        order = np.lexsort((scores, classes))
        classes, scores = classes[order], scores[order]
        begins = np.ones(classes.size, np.bool_)
        begins[1:] = (classes[1:] != classes[:-1]) | (scores[1:] != scores[:-1])
        starts = np.flatnonzero(begins)
        if starts.size:
            hits, false = (np.add.reduceat(values[order], starts, axis=0) for values in (hits, false))
        self.classes, self.scores, self.hits, self.false = classes[starts], scores[starts], hits, false


def _integrate(hits: Counts, false: Counts, objects: int) -> Scores:
    """Area below precision over recall by the script's steps, float64 [T]; ``hits`` and ``false``: [K, T] by score.

    The curve has a point for each score and an artificial one of precision 1 and recall 0; each step is as wide as half
    the way between the recalls before and after it.
    """
    if not len(hits):
        return np.zeros(THRESHOLDS.size)
    right, wrong = (np.cumsum(values[::-1], axis=0)[::-1] for values in (hits, false))
    whole = right + wrong
    # A score at which nothing is right or false yet adds a point on top of the artificial one.
    precision = np.divide(right, whole, out=np.ones(whole.shape), where=whole > 0)
    recall = right / objects
    zero = np.zeros((2, THRESHOLDS.size))
    around = np.concatenate([recall[:1], recall, zero])
    widths = (around[:-2] - around[2:]) / 2
    return np.asarray((np.concatenate([precision, zero[:1] + 1]) * widths).sum(axis=0), np.float64)
