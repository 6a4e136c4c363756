"""Dividing images into training and validation where the publisher did not: k folds, or a share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seglift.base.errors import UserError
from seglift.base.seeding import numpy_generator


def kfold(
    names: Sequence[str], folds: int, fold: int, seed: int, groups: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and validation names of one fold of a k-fold cross-validation.

    Whole groups are dealt out in an order drawn from the seed, larger ones first, each to the fold that has fewest
    names so far. Without groups the sizes of the folds differ by at most one.

    Args:
        names: all names; the order of the result follows theirs.
        folds: number of folds, at least 2.
        fold: which one validates, 0..folds-1.
        seed: of the draw.
        groups: group of a name, such as the drive it was filmed on; a name without one is a group of its own.

    Raises:
        UserError: more folds than groups, fewer than 2, or no such fold.
    """
    members: dict[tuple[bool, str], list[str]] = {}
    for name in names:
        grouped = groups is not None and name in groups
        members.setdefault((grouped, groups[name] if groups is not None and grouped else name), []).append(name)
    if not 2 <= folds <= len(members):
        raise UserError(f"folds is {folds}, 2 to {len(members)} are possible with these images; choose 4 or 10")
    if not 0 <= fold < folds:
        raise UserError(f"fold is {fold}, 0 to {folds - 1} are expected with {folds} folds; choose one of them")
    keys = sorted(members)
    drawn = [keys[index] for index in numpy_generator(seed, "kfold").permutation(len(keys))]
    dealt: list[list[str]] = [[] for _ in range(folds)]
    for key in sorted(drawn, key=lambda key: -len(members[key])):
        min(dealt, key=len).extend(members[key])
    held = set(dealt[fold])
    return tuple(name for name in names if name not in held), tuple(name for name in names if name in held)


def share_split(names: Sequence[str], share: float, seed: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and validation names, of which round(share * len) validate.

    Args:
        names: all names; the order of the result follows theirs.
        share: 0 (all train) to below 1.
        seed: of the draw; None takes the last names.

    Raises:
        UserError: ``share`` is out of range.
    """
    if not 0 <= share < 1:
        raise UserError(f"val_share is {share}, at least 0 and below 1 is expected; choose for example 0.1")
    count = round(share * len(names))
    order = range(len(names)) if seed is None else numpy_generator(seed, "share").permutation(len(names)).tolist()
    held = set(list(order)[len(names) - count :])
    train = tuple(name for index, name in enumerate(names) if index not in held)
    return train, tuple(name for index, name in enumerate(names) if index in held)
