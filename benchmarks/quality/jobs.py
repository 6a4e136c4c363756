"""What is labelled and scored: stretches of fully labelled clips of which a few frames count as drawn by a human."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seglift.datasets.catalogue import open_dataset
from seglift.datasets.dataset import ImageFile
from seglift.video.folder import IMAGE_SUFFIXES
from seglift.video.stems import natural_key

REACH = 10
FIRST_KEY, LAST_KEY, KEY_STEP = 10, 40, 5


@dataclass(frozen=True)
class Job:
    """One call of ``seglift label`` and one of ``seglift score``.

    Attributes:
        frames: folder of the clip's images.
        labels: label of every frame of the clip.
        space: label space, a name or a file.
        keyframes: positions of the labels that are given.
        cut: frames that are labelled, half-open.
        direction: as in ``label``.
        left_out: positions that are not scored.
        between: score only what lies between the first and the last keyframe.
    """

    frames: Path
    labels: tuple[Path, ...]
    space: str
    keyframes: tuple[int, ...]
    cut: tuple[int, int]
    direction: str = "both"
    left_out: frozenset[int] = frozenset()
    between: bool = False


Parts = dict[str, list[Job]]
"""Jobs whose scores are pooled, by the name of the part."""


def two_sided(data: Path, clip: str, every: int, left_out: frozenset[int]) -> Parts:
    """Keyframes at 0, N, 2N, ..., scored strictly between the first and the last.

    Args:
        data: ``SEGLIFT_DATA``.
        clip: folder in it with ``images`` and ``labels``.
        every: N.
        left_out: positions of frames that are not scored.
    """
    labels = _files(data / clip / "labels")
    keys = tuple(range(0, len(labels), every))
    space = space_of(clip)
    job = Job(data / clip / "images", labels, space, keys, (0, len(labels)), left_out=left_out, between=True)
    return {"between": [job]}


def one_sided(data: Path, clip: str, left_out: frozenset[int]) -> Parts:
    """Keyframes at 10, 15, ... 40, each alone, its labels carried 10 frames forward and 10 backward."""
    labels = _files(data / clip / "labels")
    if len(labels) <= LAST_KEY + REACH:
        raise SystemExit(f"{clip} has {len(labels)} labels, expected more than {LAST_KEY + REACH}")
    parts: Parts = {}
    for direction, ahead, behind in (("forward", REACH, 0), ("backward", 0, REACH)):
        parts[direction] = [
            Job(
                data / clip / "images",
                labels,
                space_of(clip),
                (key,),
                (key - behind, key + ahead + 1),
                direction,
                left_out,
            )
            for key in range(FIRST_KEY, LAST_KEY + 1, KEY_STEP)
        ]
    return parts


def apolloscape(root: Path, split: str) -> Parts:
    """Clips of 21 frames, the centre one labelled, the other 20 scored, forward and backward together.

    Clips are cut into consecutive ones of 21 frames, what is left over is dropped (Ganeshan et al., supplement 3.2).

    Args:
        root: a dataset in seglift's layout with a label for every frame.
        split: of it.
    """
    length, space = 2 * REACH + 1, str(root / "space.yaml")
    jobs = []
    for frames, labels in _clips(root, split):
        for start in range(0, len(labels) - length + 1, length):
            jobs.append(Job(frames, labels, space, (start + REACH,), (start, start + length)))
    if not jobs:
        raise SystemExit(f"{root} {split} has no clip of {length} labelled frames")
    return {"both": jobs}


def space_of(clip: str) -> str:
    """DAVIS has one foreground object, CamVid eleven classes."""
    return "binary" if clip.startswith("davis") else "camvid11"


def _clips(root: Path, split: str) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    dataset = open_dataset("folder", root, split)
    for name in dict.fromkeys(item.clip for item in dataset.items):
        items = [item for item in dataset.items if item.clip == name]
        labels = tuple(item.label.path for item in items if item.label is not None)
        folders = {item.image.path.parent for item in items if isinstance(item.image, ImageFile)}
        if len(labels) != len(items) or len(folders) != 1:
            raise SystemExit(f"{root} {split}: clip {name} needs one folder of images and a label for each")
        yield folders.pop(), labels


def _files(folder: Path) -> tuple[Path, ...]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return tuple(sorted(found, key=lambda path: natural_key(path.stem)))
