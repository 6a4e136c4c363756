"""Names of frames and of label files: natural order, and the stem by which a label finds its frame."""

from __future__ import annotations

import re

FRAME_SUFFIX = "_leftImg8bit"
LABEL_SUFFIXES = ("_gtFine_labelIds", "_gtCoarse_labelIds", "_labelIds", "_L", FRAME_SUFFIX)
INSTANCE_SUFFIXES = ("_gtFine_instanceIds", "_gtCoarse_instanceIds", "_instanceIds", "_gtFine_panoptic", "_panoptic")
COMPANION_SUFFIXES = ("_color", "_labelTrainIds", "_instanceTrainIds")
"""Files that public data sets keep beside the labels and that are neither labels nor instances."""

SNIPPET_LENGTH = 30
"""Frames in a Cityscapes snippet: two frames this far apart cannot belong to the same one."""

_DIGITS = re.compile(r"([0-9]+)")
_CITYSCAPES = re.compile(r"(?P<city>[A-Za-z-]+(?:_[0-9]{2})?)_(?P<seq>[0-9]{6})_(?P<frame>[0-9]{6})")


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key under which numbers inside names count as numbers: ``frame2`` comes before ``frame10``.

    Only ASCII digits count. Names that differ in leading zeros alone are ordered by their text, so the order is total.
    """
    parts = _DIGITS.split(name)
    return tuple(int(part) if odd % 2 else part for odd, part in enumerate(parts)), name


def _drop(stem: str, suffixes: tuple[str, ...]) -> str | None:
    """``stem`` without the first of ``suffixes`` that it ends in; None when there is none or nothing would remain."""
    for suffix in suffixes:
        if stem.endswith(suffix) and len(stem) > len(suffix):
            return stem.removesuffix(suffix)
    return None


def frame_stem(stem: str) -> str:
    """The matching stem of a frame whose file stem (no extension) is ``stem``: without a trailing ``_leftImg8bit``."""
    return _drop(stem, (FRAME_SUFFIX,)) or stem


def label_stem(stem: str) -> str:
    """The matching stem of a label PNG whose file stem (no extension) is ``stem``.

    One trailing ``_gtFine_labelIds``, ``_gtCoarse_labelIds``, ``_labelIds``, ``_L`` or (labels named as their frames
    are) ``_leftImg8bit`` is dropped.
    """
    return _drop(stem, LABEL_SUFFIXES) or stem


def instance_stem(stem: str) -> str | None:
    """The matching stem of an instance PNG, its ``_instanceIds`` or ``_panoptic`` dropped; None where it names none."""
    return _drop(stem, INSTANCE_SUFFIXES)


def is_companion(stem: str) -> bool:
    """Whether ``stem`` names a file beside the labels that is to be skipped, such as ``*_color``."""
    return stem.endswith(COMPANION_SUFFIXES)


def cityscapes_snippets(stems: list[str]) -> list[str]:
    """The Cityscapes snippets that frames (``stems``, in natural order) belong to, each by its first frame.

    Stems that do not read ``{city}_{seq}_{frame}`` (six digits each, with or without ``_leftImg8bit``) are left out.
    Two neighbours are of one snippet when city and sequence agree and their frame numbers are less than 30 apart: some
    cities number all their snippets through one sequence, and the long demo videos are one clip.
    """
    firsts: list[str] = []
    last: tuple[str, str, int] | None = None
    for stem in stems:
        match = _CITYSCAPES.fullmatch(frame_stem(stem))
        if match is None:
            continue
        place = (match["city"], match["seq"], int(match["frame"]))
        if last is None or place[:2] != last[:2] or place[2] - last[2] >= SNIPPET_LENGTH:
            firsts.append(frame_stem(stem))
        last = place
    return firsts
