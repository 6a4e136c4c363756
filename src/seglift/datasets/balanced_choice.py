"""Which images to annotate next: as many of each class as of any other, as far as a model can tell; or just any.

Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.3: a model
trained on the images annotated so far predicts the others, and those are added that bring the numbers of images with
each class nearest to each other. The paper gives no rule; the greedy one here is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.seeding import numpy_generator

LEAST_SHARE = 1e-3
"""Share of an image from which on a class counts as present."""


def predicted_presence(pixels: NDArray[np.integer], areas: NDArray[np.integer] | None = None) -> NDArray[np.bool_]:
    """Which classes images show: those with at least :data:`LEAST_SHARE` of the pixels.

    Args:
        pixels: [N, C], pixels of each class in each image, predicted or labelled.
        areas: [N], pixels of each image; None takes the sums of ``pixels``, which are all of a prediction.

    Returns:
        bool [N, C].

    Raises:
        ValueError: shapes that do not fit together.
    """
    areas = pixels.sum(1) if areas is None else areas
    if pixels.ndim != 2 or areas.shape != pixels.shape[:1]:
        raise ValueError(f"pixels [N,C] and areas [N] expected, got {pixels.shape} and {areas.shape}")
    return (pixels > 0) & (pixels >= LEAST_SHARE * areas[:, None])


def balanced_choice(
    presence: NDArray[np.bool_], labelled: Sequence[int], budgets: Sequence[int], seed: int
) -> tuple[NDArray[np.int64], ...]:
    """Nested choices of images in which the classes are as even as a greedy rule makes them.

    Again and again the class that the fewest chosen images show is taken, and a random one of the remaining images that
    show it is added; then all the classes of that image count. Classes without such an image are left out of this; when
    none is left, any image is added. Who trains a new model for each budget asks for one budget at a time, with what is
    chosen so far as ``labelled``.

    Args:
        presence: bool [N, C], classes that images show: labelled ones by their labels, the others as predicted (see
            :func:`predicted_presence`).
        labelled: numbers of the images that are labelled already, none twice; they belong to each choice.
        budgets: sizes of the choices with what is labelled, ascending.
        seed: decides between equal classes and between images.

    Returns:
        Numbers of images, int64 [budget], for each budget: the labelled ones as given, then the others in the order in
        which they were added. Each choice begins with the one before.

    Raises:
        UserError: a budget beyond the data, below what is labelled, or below the one before.
        ValueError: ``presence`` is no table, or impossible numbers in ``labelled``.
    """
    if presence.ndim != 2:
        raise ValueError(f"presence bool [N,C] expected, got {presence.shape}")
    _check(len(presence), labelled, budgets)
    generator = numpy_generator(seed, "balanced choice")
    chosen = list(labelled)
    remaining = np.ones(len(presence), bool)
    remaining[chosen] = False
    counts = presence[chosen].sum(0)
    candidates = presence[remaining].sum(0)
    for _ in range(budgets[-1] - len(chosen)):
        pool = remaining
        if candidates.any():
            fewest = counts[candidates > 0].min()
            ties = np.flatnonzero((candidates > 0) & (counts == fewest))
            pool = remaining & presence[:, ties[generator.integers(len(ties))]]
        places = np.flatnonzero(pool)
        added = int(places[generator.integers(len(places))])
        chosen.append(added)
        remaining[added] = False
        counts = counts + presence[added]
        candidates = candidates - presence[added]
    return _nested(chosen, budgets)


def uniform_choice(
    count: int, labelled: Sequence[int], budgets: Sequence[int], seed: int
) -> tuple[NDArray[np.int64], ...]:
    """Nested choices of images at random: the baseline, and the way to a first model.

    Args:
        count: number N of images.
        labelled: as for :func:`balanced_choice`.
        budgets: the same.
        seed: of the draw.

    Returns:
        As :func:`balanced_choice`.

    Raises:
        UserError: a budget beyond the data, below what is labelled, or below the one before.
        ValueError: impossible numbers in ``labelled``.
    """
    _check(count, labelled, budgets)
    known = set(labelled)
    order = numpy_generator(seed, "uniform choice").permutation(count).tolist()
    return _nested([*labelled, *(number for number in order if number not in known)], budgets)


def _nested(chosen: Sequence[int], budgets: Sequence[int]) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.array(chosen[:budget], np.int64) for budget in budgets)


def _check(count: int, labelled: Sequence[int], budgets: Sequence[int]) -> None:
    if len(set(labelled)) < len(labelled) or any(not 0 <= number < count for number in labelled):
        raise ValueError(f"different numbers of 0..{count - 1} expected of the labelled images, got {list(labelled)}")
    if not budgets:
        raise UserError("no budget is given, expected at least one number of images; give one")
    if list(budgets) != sorted(budgets):
        raise UserError(f"the budgets are {list(budgets)}, expected them ascending; sort them")
    if budgets[0] < len(labelled):
        raise UserError(
            f"a budget is {counted(budgets[0], 'image')}, {counted(len(labelled), 'is', 'are')} labelled already;"
            " expected at least as many"
        )
    if budgets[-1] > count:
        there = f"there {'is' if count == 1 else 'are'} {count}"
        raise UserError(f"a budget is {counted(budgets[-1], 'image')}, {there}; expected at most as many: lower it")
