"""Which objects of neighbouring keyframes are the same, and one number for each object over the whole clip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LEAST_IOU = 0.05
"""Objects of two keyframes that overlap less, summed over the frames between, are two objects.

Small and thin objects, carried ten frames, overlap little where they are the same, and others hardly ever do at all.
Chosen on two of four drawn street clips (benchmarks/RESULTS.md, "Instances through video").
"""

KeyframeObject = tuple[int, int]
"""Raw id of an object's class and its instance number in the keyframe, 0 for a crowd."""


def match_objects(
    overlaps: Iterable[Sequence[int]], earlier: Sequence[KeyframeObject], later: Sequence[KeyframeObject]
) -> dict[int, int]:
    """Finds which objects of two keyframes are the same: one to one within a class, the largest sum of IoU.

    Args:
        overlaps: rows of :func:`~seglift.propagation.objects.count_overlaps`, of any number of frames together.
        earlier: what codes 1, 2, ... of the earlier keyframe are.
        later: the same of the later keyframe.

    Returns:
        Code of the later keyframe by code of the earlier; only pairs with an IoU of at least :data:`LEAST_IOU`.
    """
    shared: defaultdict[tuple[int, int], int] = defaultdict(int)
    size: tuple[defaultdict[int, int], defaultdict[int, int]] = (defaultdict(int), defaultdict(int))
    for first, second, pixels in overlaps:
        shared[first, second] += pixels
        size[0][first] += pixels
        size[1][second] += pixels
    by_class: defaultdict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    for (first, second), pixels in shared.items():
        if not (first and second):
            continue
        (raw, number), (other_raw, other_number) = earlier[first - 1], later[second - 1]
        if raw == other_raw and number and other_number:
            by_class[raw][first, second] = pixels / (size[0][first] + size[1][second] - pixels)
    matches: dict[int, int] = {}
    for table in by_class.values():
        matches |= _assign(table)
    return dict(sorted(matches.items()))


def _assign(iou: Mapping[tuple[int, int], float]) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment  # slow to import, and labels without instances need none

    rows, columns = (sorted({pair[side] for pair in iou}) for side in (0, 1))
    gain = np.array([[iou.get((row, column), 0.0) for column in columns] for row in rows])
    gain[gain < LEAST_IOU] = 0.0
    chosen = zip(*linear_sum_assignment(gain, maximize=True), strict=True)
    return {rows[row]: columns[column] for row, column in chosen if gain[row, column] > 0}


@dataclass
class _Track:
    """An object over the keyframes that show it; ``first`` and ``last`` are positions among the keyframes."""

    raw: int
    wish: int
    first: int
    last: int
    codes: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class ObjectNumbers:
    """One number for each object of a clip.

    Attributes:
        numbers: for each keyframe the instance number of its codes 1, 2, ...; 0 for crowds.
        objects: how many there are over the clip.
        reused: how many of them had to take a number that an object long gone had, none being free.
    """

    numbers: tuple[tuple[int, ...], ...]
    objects: int
    reused: int


def number_objects(
    keyframes: Sequence[Sequence[KeyframeObject]], matches: Sequence[Mapping[int, int]], most: int
) -> ObjectNumbers:
    """Numbers the objects of a clip so that each keeps its number from keyframe to keyframe.

    An object has the number that the first keyframe that shows it gave it, unless another object has that already; then
    it gets the next one above all that the keyframes use, or where none is left the lowest that is free, or one whose
    object was gone before a keyframe that does not show the new one yet.

    Args:
        keyframes: the objects of each keyframe, in the order of the clip.
        matches: for each keyframe but the last which of its codes is which of the next one's (:func:`match_objects`).
        most: numbers are 1 to ``most``.

    Raises:
        ValueError: more than ``most`` objects of a class at once.
    """
    tracks = _join(keyframes, matches)
    numbers = [[0] * len(objects) for objects in keyframes]
    by_class: defaultdict[int, list[_Track]] = defaultdict(list)
    for track in tracks:
        by_class[track.raw].append(track)
    reused = 0
    for same_class in by_class.values():
        given, late = _give_numbers(same_class, most)
        reused += late
        for track, number in zip(same_class, given, strict=True):
            for position, code in track.codes:
                numbers[position][code - 1] = number
    return ObjectNumbers(tuple(map(tuple, numbers)), len(tracks), reused)


def _join(keyframes: Sequence[Sequence[KeyframeObject]], matches: Sequence[Mapping[int, int]]) -> list[_Track]:
    """The tracks in the order of their first codes."""
    tracks: list[_Track] = []
    continued: dict[int, _Track] = {}
    for position, objects in enumerate(keyframes):
        current: dict[int, _Track] = {}
        for code, (raw, wish) in enumerate(objects, start=1):
            if wish == 0:
                continue
            track = continued.get(code)
            if track is None:
                track = _Track(raw, wish, position, position)
                tracks.append(track)
            track.last = position
            track.codes.append((position, code))
            current[code] = track
        following = matches[position] if position < len(matches) else {}
        continued = {second: current[first] for first, second in following.items()}
    return tracks


def _give_numbers(tracks: Sequence[_Track], most: int) -> tuple[list[int], int]:
    """A number for each track of one class, and how many had to reuse one."""
    given, owners, reused = [0] * len(tracks), {}, 0
    for index, track in enumerate(tracks):
        if track.wish not in owners:
            given[index], owners[track.wish] = track.wish, track
    following = max((track.wish for track in tracks), default=0) + 1
    for index, track in enumerate(tracks):
        if given[index]:
            continue
        number = following if following <= most else next((n for n in range(1, most + 1) if n not in owners), 0)
        following += number == following
        if not number:
            # Seen in the gap behind its last keyframe, and the new one in the gap before its first.
            gone = [n for n, owner in owners.items() if owner.last + 1 < track.first]
            if not gone:
                raise ValueError(f"more than {most} objects of class {track.raw} at once")
            number = min(gone, key=lambda n: (owners[n].last, n))
            reused += 1
        given[index], owners[number] = number, track
    return given, reused
