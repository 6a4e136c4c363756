"""Drawing without replacement, round after round, across epochs, known for any epoch without the ones before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seglift.base.seeding import numpy_generator

_GROUP_PER_DRAW, _SMALLEST_GROUP = 4, 1024


def draw_rounds(length: int, count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    """What an epoch draws when each takes the next ``count`` of an endless row of rounds.

    A round holds every number below ``length`` once, so over epochs no number comes again before all have come. Within
    one epoch every number comes ``count // length`` times or once more, also where the epoch reaches into another
    round: rounds visit the same random groups of numbers in the same order, shuffled anew inside each group, and groups
    are so small that two comings of a number stay far enough apart.

    Args:
        length: how many numbers there are, at least 1.
        count: draws in each epoch, at least 0.
        epoch: number of the epoch, from 0.
        seed: decides everything else.

    Returns:
        int64 [count], 0..length-1.

    Raises:
        ValueError: arguments below their least value.
    """
    if length < 1 or count < 0 or epoch < 0:
        raise ValueError(f"length >= 1, count >= 0 and epoch >= 0 expected, got {length}, {count}, {epoch}")
    if count == 0:
        return np.zeros(0, np.int64)
    fixed = numpy_generator(seed, "groups").permutation(length)
    group = _group_size(length, count)
    begin, end = epoch * count, (epoch + 1) * count
    rounds = range(begin // length, -(-end // length))
    return np.concatenate(
        [
            _part_of_round(
                fixed, group, seed, number, max(begin - number * length, 0), min(end - number * length, length)
            )
            for number in rounds
        ]
    )


def _part_of_round(
    fixed: NDArray[np.int64], group: int, seed: int, number: int, begin: int, end: int
) -> NDArray[np.int64]:
    """Positions begin..end of a round; only the groups that they touch are shuffled."""
    first, last = begin // group * group, min(-(-end // group) * group, len(fixed))
    keys = numpy_generator(seed, "round", number).random(len(fixed))[first:last]
    order = np.argsort(np.arange(first, last) // group + keys, kind="stable")
    return fixed[first:last][order][begin - first : end - first]


def _group_size(length: int, count: int) -> int:
    """Largest group that keeps the promise within an epoch.

    A number at the end of its group in one round and at its start in the next comes again after length - group + 1
    draws, which must be at least the epoch where that is below a round; in longer epochs a number may come neither too
    often nor too seldom. Very large groups would only cost time.
    """
    whole, rest = divmod(count, length)
    if whole == 0:
        return min(length - count + 1, max(_GROUP_PER_DRAW * count, _SMALLEST_GROUP))
    return min(rest, length - rest) + 1
