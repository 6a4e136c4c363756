"""The objects that a human drew in the keyframes: read from their instance files, checked against their labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file, fingerprint_values
from seglift.labels.instance_files import COCO, MOST_OF_A_CLASS, find_coco_json, find_encoding, read_instances
from seglift.labels.space import Array8, LabelSpace
from seglift.propagation.object_tracks import KeyframeObject
from seglift.propagation.objects import MOST_OBJECTS, NOT_AT_ALL
from seglift.video.clip import Keyframe, check_label_size


@dataclass(frozen=True)
class KeyframeObjects:
    """The objects of one keyframe.

    Attributes:
        path: the instance PNG.
        encoding: of :data:`seglift.labels.instance_files.MOST_OF_A_CLASS`.
        fingerprint: of the file, with COCO's JSON.
        objects: what codes 1, 2, ... are: raw id and instance number of each object and crowd, rising.
    """

    path: Path
    encoding: str
    fingerprint: str
    objects: tuple[KeyframeObject, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Raw id of the class of each code, int64 ``[K + 1]``, that of code 0 no class."""
        return np.array([NOT_AT_ALL, *(raw for raw, _ in self.objects)], np.int64)

    def read_codes(self, labels: Array8, space: LabelSpace) -> NDArray[np.int16]:
        """Code of each pixel, int16 ``[H, W]``, 0 where there is no thing.

        Args:
            labels: uint8 ``[H, W]`` space index of the keyframe's label.
            space: of the labels.

        Raises:
            UserError: the file was changed since the run began.
        """
        pairs, keys = _pairs(self.path, labels, space)
        if pairs != self.objects:
            raise UserError(f"{self.path} was changed while it was in use; run the same command again")
        return np.where(keys > 0, np.searchsorted(_keys_of(pairs), keys) + 1, 0).astype(np.int16)


def read_keyframe_objects(keyframe: Keyframe, labels: Array8, space: LabelSpace) -> KeyframeObjects | None:
    """Reads and checks the objects of a keyframe; None where it has no instance file.

    Args:
        keyframe: with its files.
        labels: uint8 ``[H, W]`` space index of its label.
        space: of the labels.

    Raises:
        UserError: unreadable, another size, another class than the label, objects of a class that is no thing, or more
            objects than an encoding holds.
    """
    path = keyframe.instances
    if path is None:
        return None
    encoding = find_encoding(path, space)
    fingerprint = fingerprint_file(path)
    if encoding == COCO:
        fingerprint = fingerprint_values(fingerprint, fingerprint_file(find_coco_json(path)))
    objects, _ = _pairs(path, labels, space)
    by_class = Counter(raw for raw, number in objects if number)
    numbers = max((number for _, number in objects), default=0)
    raw, most = max(by_class.items(), key=lambda item: item[1], default=(0, 0))
    held = MOST_OF_A_CLASS[encoding]
    if max(most, numbers) > held or len(objects) > MOST_OBJECTS:
        raise UserError(
            f"{path} has {most} instances of '{_name(space, raw)}', numbered up to {numbers}; at most "
            f"{held} of a class can be told apart, mark small ones as a crowd"
        )
    return KeyframeObjects(path, encoding, fingerprint, objects)


def check_together(objects: dict[int, KeyframeObjects], keyframes: tuple[Keyframe, ...]) -> None:
    """Refuses keyframes some of which have instances and some have none, or that are of different encodings.

    Args:
        objects: of the keyframes that have any, by frame index.
        keyframes: all of them.

    Raises:
        UserError: see above; names two files.
    """
    if not objects:
        return
    first = objects[min(objects)]
    for keyframe in keyframes:
        own = objects.get(keyframe.index)
        if own is None:
            raise UserError(
                f"{keyframe.label} has no instance file, but other keyframes have one (such as {first.path}); give one "
                "for every keyframe, or label without instances by --instances none"
            )
        if own.encoding != first.encoding:
            raise UserError(
                f"{own.path} is in {own.encoding} encoding, but {first.path} in {first.encoding}; convert one of them"
            )


def thing_ids(space: LabelSpace) -> NDArray[np.bool_]:
    """Which raw ids are things, bool ``[256]``."""
    things = np.zeros(256, np.bool_)
    things[[entry.id for entry in space.classes if entry.thing]] = True
    return things


def _pairs(path: Path, labels: Array8, space: LabelSpace) -> tuple[tuple[KeyframeObject, ...], NDArray[np.int64]]:
    """Objects of a keyframe, and the key of each pixel's, int64 ``[H, W]``, 0 where there is no thing."""
    raw, number = read_instances(path, space)
    check_label_size(path, raw.shape, (labels.shape[0], labels.shape[1]))
    drawn = space.decode(labels)
    differing = space.to_train(space.encode(raw, str(path))) != space.to_train(labels)
    if differing.any():
        raise UserError(
            f"{path} has another class than its label at {int(differing.sum())} pixels, so one of them is out of date "
            "or in another encoding; make them agree, or label without instances by --instances none"
        )
    things = thing_ids(space)
    wrong = (number > 0) & ~things[raw]
    if wrong.any():
        name = _name(space, int(raw[wrong][0]))
        raise UserError(
            f"{path} has instances of '{name}', which is no thing in space {space.name}; set thing: true in the space, "
            "or give the plain id there"
        )
    # Kinds of void, and ids that share an evaluated class, may differ: the label's stands, with no single object.
    number = np.where(raw == drawn, number, 0)
    keys = np.where(things[drawn], (drawn.astype(np.int64) << 16 | number) + 1, 0)
    found = np.unique(keys[keys > 0]) - 1
    return tuple((int(key) >> 16, int(key) & 0xFFFF) for key in found), keys


def _keys_of(pairs: tuple[KeyframeObject, ...]) -> NDArray[np.int64]:
    return np.array([(raw << 16 | number) + 1 for raw, number in pairs], np.int64)


def _name(space: LabelSpace, raw: int) -> str:
    return next((entry.name for entry in space.classes if entry.id == raw), str(raw))
