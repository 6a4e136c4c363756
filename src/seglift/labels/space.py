"""A label space: what a pixel value in a label file means, and the look-up tables between its four encodings.

Raw ids exist only in files; a *space index* numbers the raw ids of the space in the order of its classes, so that
every id a human drew survives; *train ids* are what networks, losses and metrics see, 255 meaning "not evaluated".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError

IGNORE_TRAIN_ID = 255
NOT_IN_TABLE = 255

Array8 = NDArray[np.uint8]


@dataclass(frozen=True)
class LabelClass:
    """One raw id of a label space.

    Attributes:
        id: raw id in label files, 0..255.
        name: unique within the space.
        color: RGB, each 0..255; several classes may share one.
        train_id: 0..C-1, or 255 where the class is neither trained nor evaluated; several classes may share one.
        category: name of the group of classes it belongs to.
        thing: whether single instances are told apart.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    train_id: int
    category: str
    thing: bool


@dataclass(frozen=True)
class LabelSpace:
    """Raw ids with names, colours, train ids and categories, and the conversions between the encodings.

    Attributes:
        name: how users call it.
        classes: one entry for every raw id, 1 to 256; their order is the order of the space indices.
        ignore: raw id written where nothing is known, or None for a space without void.
        preferred: raw ids that :meth:`from_train` gives first where several classes share a train id.

    Raises:
        ValueError: ids, names or train ids break the rules above (files of users are checked by ``space_file``).
    """

    name: str
    classes: tuple[LabelClass, ...]
    ignore: int | None
    preferred: frozenset[int] = field(default=frozenset())

    def __post_init__(self) -> None:
        problem = find_problem(self.classes, self.ignore)
        if problem is not None:
            raise ValueError(f"label space {self.name}: {problem}")

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Raw id of each space index."""
        return tuple(entry.id for entry in self.classes)

    @property
    def num_indices(self) -> int:
        """Number of space indices, one for each raw id (1 to 256)."""
        return len(self.classes)

    @cached_property
    def num_train(self) -> int:
        """Number C of evaluated classes; train ids are 0..C-1."""
        return len({entry.train_id for entry in self.classes} - {IGNORE_TRAIN_ID})

    @cached_property
    def train_names(self) -> tuple[str, ...]:
        """Name of each train id: that of its first class."""
        return tuple(self.classes[index].name for index in self._first_of_train)

    @cached_property
    def thing_train_ids(self) -> tuple[int, ...]:
        """Train ids whose instances are told apart, ascending."""
        things = {entry.train_id for entry in self.classes if entry.thing}
        return tuple(sorted(things - {IGNORE_TRAIN_ID}))

    @cached_property
    def categories(self) -> dict[str, tuple[int, ...]]:
        """Train ids of each category, in order of appearance; categories without an evaluated class are left out."""
        members: dict[str, set[int]] = {}
        for entry in self.classes:
            if entry.train_id != IGNORE_TRAIN_ID:
                members.setdefault(entry.category, set()).add(entry.train_id)
        return {name: tuple(sorted(train_ids)) for name, train_ids in members.items()}

    @cached_property
    def unknown_index(self) -> int:
        """Space index of ``ignore``; where the space has no void, that of its class 0 (the background)."""
        if self.ignore is not None:
            return self.ids.index(self.ignore)
        return self._index_of_train[0]

    def encode(self, raw: NDArray[np.integer], where: str) -> Array8:
        """Raw ids to space index.

        Args:
            raw: integer [H, W] of any width, raw ids as in the file.
            where: name of the file, for the error.

        Returns:
            uint8 [H, W], 0..num_indices-1.

        Raises:
            UserError: ids that the space does not have; they are listed with their pixel counts.
        """
        if not np.issubdtype(raw.dtype, np.integer):
            raise ValueError(f"raw ids must be integers, got {raw.dtype}")
        if raw.dtype != np.uint8 and raw.size and (int(raw.min()) < 0 or int(raw.max()) > 255):
            raise self._unknown_ids(raw, where)
        index = look_up(self._raw_to_index, raw.astype(np.uint8, copy=False))
        # With 256 ids every value is known and 255 is a proper index.
        if self.num_indices <= NOT_IN_TABLE and index.size and int(index.max()) == NOT_IN_TABLE:
            raise self._unknown_ids(raw, where)
        return index

    def decode(self, index: Array8) -> Array8:
        """Space index uint8 [H, W] to raw ids uint8 [H, W]; ValueError where an index is not of this space."""
        return look_up(self._index_to_raw, self._checked(index))

    def to_train(self, index: Array8) -> Array8:
        """Space index uint8 [H, W] to train ids uint8 [H, W], 255 = not evaluated; ValueError on a foreign index."""
        return look_up(self._index_to_train, self._checked(index))

    def from_train(self, train: Array8) -> Array8:
        """Train ids to space index.

        Args:
            train: uint8 [H, W], 0..C-1 or 255.

        Returns:
            uint8 [H, W]: the class of each train id (the preferred, else the first of several); 255 becomes
            ``unknown_index``.

        Raises:
            ValueError: a train id the space does not have.
        """
        wrong = look_up(self._train_is_wrong, train)
        if wrong.any():
            raise ValueError(
                f"train ids must be 0..{self.num_train - 1} or 255, got up to {int(train[wrong > 0].max())}"
            )
        return look_up(self._train_to_index, train)

    def colorize(self, index: Array8) -> Array8:
        """Space index uint8 [H, W] to the classes' colours, uint8 [H, W, 3] RGB; ValueError on a foreign index."""
        if index.size == 0:
            return np.zeros((*index.shape, 3), np.uint8)
        colors: Array8 = cv2.applyColorMap(np.ascontiguousarray(self._checked(index)), self._index_to_color)
        return colors

    def preferring(self, ids: Iterable[int]) -> LabelSpace:
        """The same space, but of classes that share a train id, :meth:`from_train` gives that with its id in ``ids``.

        Ids that the space lacks are ignored; of several wanted ids with one train id the first class's counts.
        """
        return replace(self, preferred=frozenset(int(value) for value in ids) & frozenset(self.ids))

    @cached_property
    def color_to_index(self) -> dict[tuple[int, int, int], int]:
        """Space index of each colour; of classes that share one: ``ignore``, else an evaluated one, else the first."""
        found: dict[tuple[int, int, int], int] = {}
        order = sorted(range(self.num_indices), key=self._color_rank)
        for index in order:
            found.setdefault(self.classes[index].color, index)
        return found

    def _color_rank(self, index: int) -> tuple[bool, bool, bool, int]:
        entry = self.classes[index]
        wanted = entry.id in self.preferred
        return (entry.id != self.ignore, entry.train_id == IGNORE_TRAIN_ID, not wanted, index)

    @cached_property
    def _first_of_train(self) -> tuple[int, ...]:
        first: dict[int, int] = {}
        for index, entry in enumerate(self.classes):
            first.setdefault(entry.train_id, index)
        return tuple(first[train_id] for train_id in range(self.num_train))

    @cached_property
    def _index_of_train(self) -> tuple[int, ...]:
        chosen = list(self._first_of_train)
        for index, entry in reversed(list(enumerate(self.classes))):
            if entry.id in self.preferred and entry.train_id != IGNORE_TRAIN_ID:
                chosen[entry.train_id] = index
        return tuple(chosen)

    @cached_property
    def _raw_to_index(self) -> Array8:
        table = np.full(256, NOT_IN_TABLE, np.uint8)
        table[list(self.ids)] = np.arange(self.num_indices)
        return table

    @cached_property
    def _index_to_raw(self) -> Array8:
        return _table(self.ids)

    @cached_property
    def _index_to_train(self) -> Array8:
        return _table([entry.train_id for entry in self.classes])

    @cached_property
    def _index_to_color(self) -> Array8:
        table = np.zeros((256, 1, 3), np.uint8)
        table[: self.num_indices, 0] = [entry.color for entry in self.classes]
        return table

    @cached_property
    def _train_to_index(self) -> Array8:
        table = np.full(256, self.unknown_index, np.uint8)
        table[: self.num_train] = self._index_of_train
        return table

    @cached_property
    def _train_is_wrong(self) -> Array8:
        table = np.ones(256, np.uint8)
        table[: self.num_train] = 0
        table[IGNORE_TRAIN_ID] = 0
        return table

    def _checked(self, index: Array8) -> Array8:
        if index.dtype != np.uint8:
            raise ValueError(f"a space index is uint8, got {index.dtype}")
        if index.size and int(index.max()) >= self.num_indices:
            raise ValueError(f"space index {int(index.max())} is not of {self.name}, which has {self.num_indices}")
        return index

    def _unknown_ids(self, raw: NDArray[np.integer], where: str) -> UserError:
        values, counts = np.unique(raw, return_counts=True)
        known = set(self.ids)
        wrong = [(int(v), int(n)) for v, n in zip(values, counts, strict=True) if int(v) not in known]
        listed = ", ".join(f"{value} ({count} px)" for value, count in wrong[:20])
        more = f" and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        return UserError(
            f"{where} has ids that label space {self.name} lacks: {listed}{more}; "
            f"expected {describe_ids(self.ids)}; correct the label or choose another --space"
        )


def look_up(table: Array8, values: Array8) -> Array8:
    """``table[values]`` for a uint8 [256] table and uint8 values of any shape, an order faster than numpy indexing."""
    if values.dtype != np.uint8:
        raise ValueError(f"look-up needs uint8 values, got {values.dtype}")
    if values.size == 0:
        return np.zeros(values.shape, np.uint8)
    flat = np.ascontiguousarray(values).reshape(values.shape[0] if values.ndim > 1 else 1, -1)
    result: Array8 = cv2.LUT(flat, table)
    return result.reshape(values.shape)


def describe_ids(ids: Iterable[int]) -> str:
    """Ids as short text with runs joined: ``"0-10, 255"``."""
    runs: list[list[int]] = []
    for value in sorted(set(ids)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def find_problem(classes: tuple[LabelClass, ...], ignore: int | None) -> str | None:
    """What is wrong with the classes of a space, in words, or None: ids, names, colours, train ids, ``ignore``."""
    return _find_bad_value(classes) or _find_bad_train_id(classes) or _find_bad_ignore(classes, ignore)


def _find_bad_value(classes: tuple[LabelClass, ...]) -> str | None:
    ids = [entry.id for entry in classes]
    names = [entry.name for entry in classes]
    numbers = (*ids, *(value for entry in classes for value in entry.color))
    outside = [value for value in numbers if not 0 <= value <= 255]
    if outside:
        return f"ids and colour values must be 0..255, got {outside[0]}"
    for kind, values in (("id", ids), ("name", names)):
        twice = [value for position, value in enumerate(values) if value in values[:position]]
        if twice:
            return f"{kind} {twice[0]} appears more than once"
    return None


def _find_bad_train_id(classes: tuple[LabelClass, ...]) -> str | None:
    train_ids = sorted({entry.train_id for entry in classes} - {IGNORE_TRAIN_ID})
    if not train_ids:
        return "no class is evaluated (each needs train_id 0, 1, 2, ... unless it is void)"
    if train_ids != list(range(len(train_ids))):
        return f"train ids must be 0, 1, 2, ... without a gap, or 255; got {describe_ids(train_ids)}"
    return None


def _find_bad_ignore(classes: tuple[LabelClass, ...], ignore: int | None) -> str | None:
    if ignore is None:
        return None
    entry = next((entry for entry in classes if entry.id == ignore), None)
    if entry is None:
        return f"ignore is {ignore}, but no class has that id"
    if entry.train_id != IGNORE_TRAIN_ID:
        return f"ignore is {ignore}, so that class must have train_id 255, not {entry.train_id}"
    return None


def _table(values: Iterable[int]) -> Array8:
    table = np.zeros(256, np.uint8)
    listed = list(values)
    table[: len(listed)] = listed
    return table
