"""Neighbours of NYU-Depth V2's labelled frames: the raw recordings, sub-sampled at 2 frames per second."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from seglift.base.errors import UserError
from seglift.datasets.dataset import ImageFile, Item, Source
from seglift.datasets.files import find_folder, scan_files

STEP_S = 0.5
TOLERANCE_S = 0.25
REACH = 10

_FRAME = re.compile(r"r-(?P<time>[0-9]+\.?[0-9]*)-[0-9]+", re.ASCII)
_ENDINGS = (".ppm", ".png", ".jpg")


@dataclass(frozen=True)
class RawNeighbours:
    """The frame half a second times ``offset`` away from a labelled frame, in the recording of its scene.

    Offset j has the raw frame nearest to the labelled frame's time + 0.5 j s, at most 0.25 s away from there, and
    exists only where every offset between exists (Warp-Refine Propagation, ICCV 2021, section 4 names the rate and
    +-10 frames). Frames of the test split's labels are never neighbours, nor is one frame at two offsets.

    Attributes:
        raw: folder that holds the scenes' folders with the frames ``r-TIMESTAMP-NUMBER.ppm``, at most one folder deep.
        frames: raw frame (``SCENE/FILE``) by name of the item.
        hidden: raw frames that must not be used.
    """

    raw: Path
    frames: dict[str, str]
    hidden: frozenset[str]
    _scenes: dict[str, tuple[tuple[float, Path], ...]] = field(default_factory=dict, compare=False, repr=False)
    _chains: dict[tuple[str, int], tuple[Path, ...]] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, item: Item, offset: int) -> Source | None:
        """The neighbour, None where there is none or ``offset`` is not -10..10."""
        if offset == 0:
            return item.image
        frame = self.frames.get(item.name)
        if frame is None or abs(offset) > REACH:
            return None
        place = frame, 1 if offset > 0 else -1
        if place not in self._chains:
            self._chains[place] = self._find_chain(*place)
        chain = self._chains[place]
        return ImageFile(chain[abs(offset) - 1]) if abs(offset) <= len(chain) else None

    def _find_chain(self, frame: str, direction: int) -> tuple[Path, ...]:
        """Neighbours at 1, 2, ... times ``direction``, up to the reach or the first that is missing."""
        scene, _, name = frame.rpartition("/")
        start = frame_time(name)
        ahead = [(direction * (time - start), path) for time, path in self._scene(scene)]
        chain: list[Path] = []
        reached = 0.0
        for step in range(1, REACH + 1):
            wanted = STEP_S * step
            near = [(abs(gone - wanted), gone, path) for gone, path in ahead if gone > reached]
            distance, gone, path = min(near, default=(math.inf, 0.0, self.raw))
            if distance > TOLERANCE_S:
                break
            chain.append(path)
            reached = gone
        return tuple(chain)

    def _scene(self, scene: str) -> tuple[tuple[float, Path], ...]:
        """Time and file of the usable frames of a scene; empty where the scene is absent."""
        if scene not in self._scenes:
            folder = find_folder(self.raw, scene)
            files = scan_files(folder).by_key(*_ENDINGS).items() if folder is not None else ()
            hidden = {Path(name).stem for name in self.hidden if name.rpartition("/")[0] == scene}
            self._scenes[scene] = tuple(
                (frame_time(key), path) for key, path in files if _FRAME.fullmatch(key) and key not in hidden
            )
        return self._scenes[scene]


def frame_time(name: str) -> float:
    """Seconds since 1970 from a raw frame's name, ``r-1294439283.955656-2959736163.ppm``.

    Raises:
        UserError: the name reads otherwise.
    """
    match = _FRAME.match(name)
    if match is None:
        raise UserError(f"the raw frame {name!r} is not named r-TIMESTAMP-NUMBER; give the NYU-Depth V2 raw recordings")
    return float(match["time"])
