"""The videos around the images of a dataset: items and their neighbours, joined where they follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from seglift.datasets.clip_around import SourceFrames, reach
from seglift.datasets.dataset import Dataset, Item, Source

MOST_NEIGHBOURS = 30
"""Neighbours that are looked for on either side of an item, unless there is a gap before."""


def item_clips(dataset: Dataset, most: int = MOST_NEIGHBOURS) -> dict[str, SourceFrames]:
    """Every run of frames that follow each other, by the name of its clip (of its first item where it has none).

    Each item is joined with its neighbours up to the first gap on either side; windows that share frames become one
    run, so that no frame occurs twice. Stills are runs of one frame. Nothing is read.

    Args:
        dataset: opened.
        most: neighbours that are looked for on either side of an item, at least 0.
    """
    after: dict[str, Source] = {}
    known: dict[str, Source] = {}
    owner: dict[str, Item] = {}
    led: set[str] = set()
    for item in dataset.items:
        window = list(reach(dataset, item, most, most).values())
        for source in window:
            known[str(source)] = source
            owner.setdefault(str(source), item)
        for source, following in pairwise(window):
            after[str(source)] = following
            led.add(str(following))
    clips: dict[str, SourceFrames] = {}
    for first in [source for name, source in known.items() if name not in led]:
        run = _run(first, after)
        item = owner[str(first)]
        clips[_free(item.clip or item.name, clips)] = SourceFrames(run, [f"{n:06d}" for n in range(len(run))])
    return clips


def _run(first: Source, after: dict[str, Source]) -> Sequence[Source]:
    run, source = [first], first
    while str(source) in after:
        source = after[str(source)]
        run.append(source)
    return run


def _free(name: str, taken: Iterable[str]) -> str:
    """``name``, numbered where it is taken."""
    known, number, free = set(taken), 2, name
    while free in known:
        free, number = f"{name}#{number}", number + 1
    return free
