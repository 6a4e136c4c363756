"""Instance-level IoU (iIoU): every object counts alike, however large it appears.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016, section 4.1: true positive
and false negative pixels of an object are weighted by the average size of its class over its own size; false positives
belong to no object and keep weight 1. The published average sizes and the treatment of categories are those of the data
set's evaluation of pixel-level labelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seglift.labels.packed import find_runs
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace, look_up

CITYSCAPES_SIZES: dict[str, float] = {
    "bicycle": 4672.3249222261,
    "caravan": 36771.8241758242,
    "motorcycle": 6298.7200839748,
    "rider": 3930.4788056518,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "car": 12794.0202738185,
    "person": 3462.4756337644,
    "truck": 27855.1264367816,
    "trailer": 16926.9763313609,
}
"""Average pixels of an object of each class in Cityscapes (2048 x 1024), as its evaluation fixes them."""

_NO_GROUP, _OTHER_GROUP = 255, 254
_NUMBERS = 1001
_KEYS = 256 * _NUMBERS

Counts = NDArray[np.int64]
Sums = NDArray[np.float64]


@dataclass(frozen=True)
class ThingGroup:
    """A category whose evaluated classes are all things, such as Cityscapes' human and vehicle.

    Attributes:
        name: of the category.
        train_ids: its evaluated classes.
        indices: space indices whose prediction counts as this category: all its things, also those that are not
            evaluated (caravan and trailer are vehicles).
    """

    name: str
    train_ids: tuple[int, ...]
    indices: tuple[int, ...]


def thing_groups(space: LabelSpace) -> tuple[ThingGroup, ...]:
    """The categories of ``space`` that have an instance-level score, in order of appearance."""
    groups = []
    for name, train_ids in space.categories.items():
        members = [(index, entry) for index, entry in enumerate(space.classes) if entry.category == name]
        if all(entry.thing for _, entry in members if entry.train_id != IGNORE_TRAIN_ID):
            groups.append(ThingGroup(name, train_ids, tuple(index for index, entry in members if entry.thing)))
    return tuple(groups)


@dataclass(frozen=True, eq=False)
class InstanceIoU:
    """Sums for the instance-level IoU of classes and categories; those of several images or processes add up.

    Only pixels of single objects (an instance number above 0) make true positives and false negatives; crowds, groups
    and stuff do not. False positives are counted over all valid ground truth.

    Attributes:
        space: the label space; C evaluated classes, K thing categories (:func:`thing_groups`).
        hits: float64 [C], over the true objects of a class: share of pixels predicted as that class.
        group_hits: float64 [C], the same for "predicted as the class's category".
        objects: int64 [C], number of true objects.
        pixels: int64 [C], their pixels.
        false: int64 [C], pixels predicted as the class where another evaluated class is true.
        group_false: int64 [K], pixels predicted as the category where an evaluated class of another category is true.

    Example:
        >>> import numpy as np
        >>> from seglift.labels.builtin import BUILTIN_SPACES
        >>> score = InstanceIoU.empty(BUILTIN_SPACES["cityscapes"])
        >>> truth = np.array([[26, 26, 26, 7]], np.uint8)  # two cars of 2 and 1 pixels, road
        >>> number = np.array([[1, 1, 2, 0]], np.uint16)
        >>> predicted = np.array([[26, 7, 26, 26]], np.uint8)
        >>> score.update(predicted, truth, truth, number)  # space indices and raw ids agree in Cityscapes
        >>> score.average_sizes()["car"]
        1.5
        >>> score.iou()[13].item()  # (1.5 / 2 + 1.5) / (2 * 1.5 + 1 false)
        0.5625
    """

    space: LabelSpace
    hits: Sums
    group_hits: Sums
    objects: Counts
    pixels: Counts
    false: Counts
    group_false: Counts

    @classmethod
    def empty(cls, space: LabelSpace) -> Self:
        """No image counted yet."""
        classes, groups = space.num_train, len(thing_groups(space))
        hits = (np.zeros(classes), np.zeros(classes))
        counts = (np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.zeros(classes, np.int64))
        return cls(space, *hits, *counts, np.zeros(groups, np.int64))

    @cached_property
    def groups(self) -> tuple[ThingGroup, ...]:
        """The categories that are scored."""
        return thing_groups(self.space)

    def update(self, prediction: Array8, truth: Array8, raw: Array8, number: NDArray[np.uint16]) -> None:
        """Adds one image in place.

        Args:
            prediction: uint8 [H, W] space index.
            truth: uint8 [H, W] space index.
            raw: uint8 [H, W] raw ids of the instance file (see ``labels.instances``), which say an object's class.
            number: uint16 [H, W] instance numbers, 0 where a pixel belongs to no single object, else 1..1000.

        Raises:
            ValueError: sizes differ, or numbers above 1000.
            UserError: raw ids that the space lacks.
        """
        if not prediction.shape == truth.shape == raw.shape == number.shape or prediction.ndim != 2:
            raise ValueError(f"four [H, W] are expected, got {prediction.shape}, {truth.shape}, {raw.shape}")
        if int(number.max(initial=0)) >= _NUMBERS:
            raise ValueError(f"instance numbers must be 0..{_NUMBERS - 1}, got {int(number.max())}")
        owner = self.space.encode(raw, "instances")
        lengths, (prediction, truth, owner, number) = find_runs((prediction, truth, owner, number))
        self._add_false(prediction, truth, lengths)
        self._add_objects(prediction, owner, number, lengths)

    def _add_false(self, prediction: Array8, truth: Array8, lengths: NDArray[np.intp]) -> None:
        """The arguments are [R], one of each run of equal pixels."""
        true_class, predicted_class = self.space.to_train(truth), self.space.to_train(prediction)
        valid = true_class != IGNORE_TRAIN_ID
        wrong = valid & (true_class != predicted_class)
        self.false[:] += _sum_at(predicted_class[wrong], lengths[wrong], 256)[: len(self.false)]
        true_group, predicted_group = look_up(self._true_group, truth), look_up(self._predicted_group, prediction)
        wrong = valid & (true_group != predicted_group)
        self.group_false[:] += _sum_at(predicted_group[wrong], lengths[wrong], 256)[: len(self.group_false)]

    def _add_objects(
        self, prediction: Array8, owner: Array8, number: NDArray[np.uint16], lengths: NDArray[np.intp]
    ) -> None:
        """Arguments as for :meth:`_add_false`; ``owner``: space index of the object's class."""
        counted = (number > 0) & (look_up(self._is_evaluated_thing, owner) > 0)
        predicted, owner, lengths = prediction[counted], owner[counted], lengths[counted]
        keys = owner.astype(np.int64) * _NUMBERS + number[counted]
        right = self.space.to_train(predicted) == self.space.to_train(owner)
        group_right = look_up(self._predicted_group, predicted) == look_up(self._true_group, owner)
        sizes = _sum_at(keys, lengths, _KEYS)
        found = np.flatnonzero(sizes)
        shares = _sum_at(keys[right], lengths[right], _KEYS)[found] / sizes[found]
        group_shares = _sum_at(keys[group_right], lengths[group_right], _KEYS)[found] / sizes[found]
        train_ids = self.space.to_train((found // _NUMBERS).astype(np.uint8))
        np.add.at(self.hits, train_ids, shares)
        np.add.at(self.group_hits, train_ids, group_shares)
        np.add.at(self.objects, train_ids, 1)
        np.add.at(self.pixels, train_ids, sizes[found])

    def __add__(self, other: InstanceIoU) -> InstanceIoU:
        if self.space.classes != other.space.classes:
            raise ValueError(f"cannot add scores of {self.space.name} and {other.space.name}")
        return InstanceIoU(
            self.space,
            self.hits + other.hits,
            self.group_hits + other.group_hits,
            self.objects + other.objects,
            self.pixels + other.pixels,
            self.false + other.false,
            self.group_false + other.group_false,
        )

    def average_sizes(self) -> dict[str, float]:
        """Average pixels of the true objects that were counted, by class; classes without any are left out."""
        names = self.space.train_names
        return {names[n]: float(self.pixels[n] / self.objects[n]) for n in np.flatnonzero(self.objects).tolist()}

    def iou(self, average_sizes: Mapping[str, float] | None = None) -> Sums:
        """Instance-level IoU of each class.

        Args:
            average_sizes: average pixels of an object by class, such as ``CITYSCAPES_SIZES``; None takes
                :meth:`average_sizes`.

        Returns:
            float64 [C] in 0..1; NaN for classes that are no things, and for things in neither map.

        Raises:
            ValueError: a class with objects has no average size.
        """
        weight = self._weights(average_sizes)
        result = np.full(len(self.hits), np.nan)
        for n in self.space.thing_train_ids:
            result[n] = _share(weight[n] * self.hits[n], weight[n] * self.objects[n] + self.false[n])
        return result

    def category_iou(self, average_sizes: Mapping[str, float] | None = None) -> dict[str, float]:
        """Instance-level IoU 0..1 of each category of things; NaN where it is in neither map. See :meth:`iou`."""
        weight = self._weights(average_sizes)
        scores = {}
        for group, false in zip(self.groups, self.group_false.tolist(), strict=True):
            members = list(group.train_ids)
            hit = float((weight * self.group_hits)[members].sum())
            scores[group.name] = _share(hit, float((weight * self.objects)[members].sum()) + false)
        return scores

    def _weights(self, average_sizes: Mapping[str, float] | None) -> Sums:
        sizes = self.average_sizes() if average_sizes is None else average_sizes
        names = self.space.train_names
        missing = [names[n] for n in np.flatnonzero(self.objects).tolist() if names[n] not in sizes]
        if missing:
            raise ValueError(f"average sizes lack {', '.join(missing)}")
        return np.array([sizes.get(name, 0.0) for name in names])

    @cached_property
    def _is_evaluated_thing(self) -> Array8:
        table = np.zeros(256, np.uint8)
        for index, entry in enumerate(self.space.classes):
            table[index] = entry.thing and entry.train_id != IGNORE_TRAIN_ID
        return table

    @cached_property
    def _predicted_group(self) -> Array8:
        table = np.full(256, _NO_GROUP, np.uint8)
        for position, group in enumerate(self.groups):
            table[list(group.indices)] = position
        return table

    @cached_property
    def _true_group(self) -> Array8:
        """Position of the category that a class is in, whether or not the class is a thing or evaluated."""
        table = np.full(256, _OTHER_GROUP, np.uint8)
        positions = {group.name: position for position, group in enumerate(self.groups)}
        for index, entry in enumerate(self.space.classes):
            table[index] = positions.get(entry.category, _OTHER_GROUP)
        return table


def _sum_at(positions: NDArray[np.integer], amounts: NDArray[np.intp], size: int) -> Counts:
    """Sum of the amounts at each position 0..size-1, int64 [size]."""
    return np.bincount(positions, weights=amounts, minlength=size).astype(np.int64)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
