"""Which frames of a long clip a report shows, and which it asks the reader to label next."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

LABEL_NEXT = 8
"""Frames of a clip that a report asks to label next."""


@dataclass(frozen=True)
class Selection:
    """Frames that a report shows.

    Attributes:
        indices: ascending frame indices.
        every: distance between the evenly chosen ones; 1 where all frames are shown.
        total: frames of the clip.
        keyframes: keyframes shown.
        total_keyframes: keyframes of the clip.
    """

    indices: tuple[int, ...]
    every: int
    total: int
    keyframes: int
    total_keyframes: int

    def sentence(self) -> str:
        """What is shown, for the reader."""
        if len(self.indices) == self.total:
            return f"All {self.total} frames shown." if self.total > 1 else "The one frame is shown."
        share = f"all {self.total_keyframes}" if self.keyframes == self.total_keyframes else "an even choice of the"
        also = "the last frame and the frames to label next"
        if self.total_keyframes:
            also = f"{share} keyframe{'s' if self.total_keyframes > 1 else ''}, {also}"
        return f"Every {ordinal(self.every)} of {self.total} frames shown, and {also}: {len(self.indices)} in all."


def ordinal(number: int) -> str:
    """``2`` as ``"2nd"``."""
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def frames_to_label(values: Sequence[float | None], count: int, skip: Collection[int] = ()) -> tuple[int, ...]:
    """Frames to label next: lowest value first, no two of them close together.

    A frame that is labelled mends those around it, so that only the lowest of each bad stretch counts: between two
    of ``skip`` the next one is at least half their distance away, and none is directly beside another. Frames beside
    one of ``skip`` are chosen where there are no others.

    Args:
        values: one per frame; None = not known, never chosen.
        count: how many at most.
        skip: indices never chosen, e.g. the keyframes.

    Returns:
        Frame indices; equal values in ascending order of the index.
    """
    apart = max(2, len(values) // max(1, count))
    left_out, ends = set(skip), sorted({-1, *skip, len(values)})
    chosen: list[int] = []
    known = [(value, index) for index, value in enumerate(values) if value is not None and index not in left_out]
    free = [(value, index) for value, index in known if not left_out & {index - 1, index + 1}]
    for _, index in sorted(free or known):
        if len(chosen) >= count:
            break
        place = bisect_left(ends, index)
        around = max(apart, (ends[place] - ends[place - 1]) // 2)
        if all(abs(index - other) >= around for other in chosen):
            chosen.append(index)
    return tuple(chosen)


def labelling_rounds(
    values: Sequence[float | None], skip: Collection[int] = ()
) -> Iterator[tuple[tuple[float, int], ...]]:
    """All frames in the order in which to label them: first those that a report names, then those between.

    Every round is a choice of :func:`frames_to_label`, with the frames of the rounds before as further keyframes. What
    a value lacks to 1 is taken to shrink with the distance to the nearest of them.

    Args:
        values: one per frame, 0..1; None = not known, never given.
        skip: indices never given, e.g. the keyframes.

    Yields:
        Value, as it is expected when the rounds before are labelled, and frame index; :data:`LABEL_NEXT` at most.
    """
    drawn, expected = sorted(skip), list(values)
    distances = [_to_nearest(index, drawn, len(values)) for index in range(len(values))]
    while chosen := frames_to_label(expected, LABEL_NEXT, drawn):
        yield tuple((value, index) for index in chosen if (value := expected[index]) is not None)
        drawn = sorted({*drawn, *chosen})
        for index, value in enumerate(values):
            if value is not None and distances[index]:
                near = _to_nearest(index, drawn, len(values))
                expected[index] = 1.0 - (1.0 - value) * near / distances[index]


def _to_nearest(index: int, ascending: Sequence[int], none: int) -> int:
    """Distance to the nearest of ``ascending``; ``none`` where it is empty."""
    place = bisect_left(ascending, index)
    return min((abs(index - other) for other in ascending[max(0, place - 1) : place + 1]), default=none)


def select_frames(total: int, keyframes: Sequence[int], first: Collection[int], limit: int) -> Selection:
    """Chooses at most ``limit`` frames: the ends, ``first``, the keyframes, and evenly spaced ones between.

    Keyframes are thinned evenly where they alone would take more than half of the frames.

    Args:
        total: frames of the clip, at least 1.
        keyframes: ascending indices.
        first: indices of the frames to label next, always shown.
        limit: at least ``2 * len(first) + 4``.

    Raises:
        ValueError: ``limit`` is too small.
    """
    if limit < 2 * len(first) + 4:
        raise ValueError(f"limit must be at least {2 * len(first) + 4} for {len(first)} frames, got {limit}")
    if total <= limit:
        return Selection(tuple(range(total)), 1, total, len(keyframes), len(keyframes))
    room = limit // 2 - 1
    step = math.ceil(len(keyframes) / room) if len(keyframes) > room else 1
    wanted = {total - 1, *first, *keyframes[::step]}
    every = max(2, math.ceil(total / limit))
    while len(wanted | set(range(0, total, every))) > limit:
        every += 1
    indices = tuple(sorted(wanted | set(range(0, total, every))))
    shown = len(set(indices) & set(keyframes))
    return Selection(indices, every, total, shown, len(keyframes))
