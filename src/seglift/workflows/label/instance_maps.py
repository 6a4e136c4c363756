"""``OUT/instances``: the codes of all frames turned into ids that hold over the whole clip.

Every frame keeps its codes in the work folder: which object of the keyframe on either side a pixel belongs to. They
change only with the frame's own gap. Which objects of neighbouring keyframes are the same, and so every number, may
change with any keyframe; so numbers are given when all frames are done, and a map is written again only if its codes,
its labels or the numbers of its two keyframes changed. What is to be written again is taken off the record first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.threads import worker_count
from seglift.labels.image_file import open_image_file, pixels
from seglift.labels.instance_files import COCO, KITTI, MOST_OF_A_CLASS
from seglift.labels.instances import encode_cityscapes, encode_coco, encode_kitti
from seglift.labels.reading import read_label
from seglift.labels.writing import encode_png
from seglift.propagation.object_tracks import ObjectNumbers, match_objects, number_objects
from seglift.propagation.objects import LATER_CODE, Codes
from seglift.workflows.label.output import COCO_NAME, INSTANCES, OBJECTS, LabelOutput
from seglift.workflows.label.plan import LabelPlan

RECORD_NAME = "instances.json"
"""In the work folder: what each written map was made from, and overlaps that took a flow to find."""

Bridge = Callable[[int, Codes, Codes], list[list[int]]]
"""Overlaps of codes on a frame, carried to the next one, with those there; gets the frame's index and both maps."""


@dataclass(frozen=True)
class InstanceSummary:
    """What was written.

    Attributes:
        encoding: of the files.
        objects: how many the clip has.
        reused: how many of them share a number with one long gone.
    """

    encoding: str
    objects: int
    reused: int


class InstanceMaps:
    """The instance maps of one OUT, all of whose frames are done.

    Args:
        plan: whose keyframes have objects.
        output: where the frames lie.
        entries: the journal's entry of every frame by stem.
        bridge: see :data:`Bridge`.
    """

    def __init__(
        self, plan: LabelPlan, output: LabelOutput, entries: Mapping[str, Mapping[str, Any]], bridge: Bridge
    ) -> None:
        self._plan, self._output, self._entries, self._bridge = plan, output, entries, bridge
        self._stems = plan.clip.frames.stems
        self._keyframes = sorted(plan.objects)
        self._encoding = plan.objects[self._keyframes[0]].encoding
        self._record = _read_record(output)

    def write(self) -> InstanceSummary:
        """Brings ``OUT/instances`` up to date.

        Raises:
            UserError: more objects of a class at once than the encoding holds, or a file cannot be read or written.
        """
        numbers = self._number()
        tables = dict(zip(self._keyframes, numbers.numbers, strict=True))
        wanted = {index: self._fingerprint(index, sides, tables) for index, sides in self._sides().items()}
        known = self._record["frames"]
        stale = [index for index, wish in wanted.items() if not self._is_current(index, wish, known)]
        kept = {self._stems[index]: known[self._stems[index]] for index in set(wanted) - set(stale)}
        self._save(kept)
        sides = self._sides()
        work = partial(self._write_frame, sides=sides, tables=tables)
        for index, segments in zip(stale, work_ahead(work, stale, worker_count()), strict=True):
            kept[self._stems[index]] = {"made_from": wanted[index], "segments": segments}
        if self._encoding == COCO:
            self._write_coco(kept)
        else:
            (self._output.folder / COCO_NAME).unlink(missing_ok=True)
        self._save(kept)
        return InstanceSummary(self._encoding, numbers.objects, numbers.reused)

    def _number(self) -> ObjectNumbers:
        objects = [self._plan.objects[index].objects for index in self._keyframes]
        bridges: dict[str, list[list[int]]] = {}
        matches = [
            match_objects(self._overlaps(left, right, bridges), objects[n], objects[n + 1])
            for n, (left, right) in enumerate(pairwise(self._keyframes))
        ]
        self._record["bridges"] = bridges
        try:
            return number_objects(objects, matches, MOST_OF_A_CLASS[self._encoding])
        except ValueError as error:
            raise UserError(
                f"{error}, which {self._encoding} encoding does not hold; mark small ones as a crowd in the keyframes"
            ) from error

    def _overlaps(self, left: int, right: int, bridges: dict[str, list[list[int]]]) -> Iterable[list[int]]:
        """Overlaps of two keyframes' objects: on all frames that both reached, else across the two where they met."""
        if any(left < cut <= right for cut in self._plan.scenes.cuts):
            return []
        last, first = self._plan.config.reach(left, right)
        if last >= first:
            between = range(left + 1, right)
            return [row for index in between for row in self._entries[self._stems[index]]["overlaps"]]
        if last + 1 < first:
            return []
        pair = self._stems[last], self._stems[first]
        frames = self._plan.clip.frames
        key = fingerprint_values(
            [self._entries[stem]["key"] for stem in pair], [frames.frame_fingerprint(index) for index in (last, first)]
        )
        if key not in bridges:
            known = self._record["bridges"].get(key)
            bridges[key] = self._look_across(last, first, right) if known is None else known
        return bridges[key]

    def _look_across(self, last: int, first: int, right: int) -> list[list[int]]:
        here, there = self._codes(last), self._codes(first)
        here = np.where(here < LATER_CODE, here, 0)
        if first != right:
            there = np.where(there > LATER_CODE, there - np.uint16(LATER_CODE), 0)
        return self._bridge(last, here, there)

    def _sides(self) -> dict[int, tuple[int | None, int | None]]:
        """The keyframes on both sides of every frame by its index, in order; a keyframe is its own earlier one."""
        around: dict[int, tuple[int | None, int | None]] = {index: (index, None) for index in self._keyframes}
        for gap in self._plan.gaps:
            around |= dict.fromkeys(range(gap.start, gap.stop), (gap.left, gap.right))
        return dict(sorted(around.items()))

    def _fingerprint(
        self, index: int, sides: tuple[int | None, int | None], tables: Mapping[int, tuple[int, ...]]
    ) -> str:
        numbers = [None if side is None else tables[side] for side in sides]
        return fingerprint_values(self._entries[self._stems[index]]["key"], numbers, self._encoding)

    def _is_current(self, index: int, made_from: str, known: Mapping[str, Any]) -> bool:
        stem = self._stems[index]
        return known.get(stem, {}).get("made_from") == made_from and self._output.instance_path(stem).is_file()

    def _write_frame(
        self,
        index: int,
        sides: Mapping[int, tuple[int | None, int | None]],
        tables: Mapping[int, tuple[int, ...]],
    ) -> list[dict[str, Any]]:
        """Writes one map; gives its ``segments_info``, empty but for COCO."""
        stem, space = self._stems[index], self._plan.space
        numbers = np.zeros(2 * LATER_CODE, np.uint16)
        for side, begin in zip(sides[index], (1, LATER_CODE + 1), strict=True):
            if side is not None:
                numbers[begin : begin + len(tables[side])] = tables[side]
        raw = space.decode(read_label(self._output.folder / "labels" / f"{stem}.png", space))
        number, path = numbers[self._codes(index)], self._output.instance_path(stem)
        if self._encoding == COCO:
            colors, segments = encode_coco(raw, number, space, str(path))
            write_bytes(path, encode_png(colors))
            return [segment.to_data() for segment in segments]
        encode = encode_kitti if self._encoding == KITTI else encode_cityscapes
        write_bytes(path, encode_png(encode(raw, number, str(path))))
        return []

    def _codes(self, index: int) -> Codes:
        return pixels(open_image_file(self._output.objects_path(self._stems[index]))).astype(np.uint16)

    def _write_coco(self, frames: Mapping[str, Mapping[str, Any]]) -> None:
        """``OUT/instances.json``, as COCO has it beside the folder of the PNGs."""
        height, width = self._plan.clip.frames.size
        names = {stem: f"{stem}.png" for stem in self._stems}
        data = {
            "images": [
                {"id": stem, "file_name": name, "height": height, "width": width} for stem, name in names.items()
            ],
            "annotations": [
                {"image_id": stem, "file_name": name, "segments_info": frames[stem]["segments"]}
                for stem, name in names.items()
            ],
            "categories": [
                {"id": entry.id, "name": entry.name, "isthing": int(entry.thing), "supercategory": entry.category}
                for entry in self._plan.space.classes
            ],
        }
        write_json(self._output.folder / COCO_NAME, data)

    def _save(self, frames: Mapping[str, Any]) -> None:
        write_json(self._output.work / RECORD_NAME, {"frames": dict(frames), "bridges": self._record["bridges"]})


def forget_instances(output: LabelOutput) -> None:
    """Deletes the maps of an earlier run whose keyframes had instances."""
    if not (output.work / RECORD_NAME).is_file() and not (output.work / OBJECTS).is_dir():
        return
    for folder in (output.folder / INSTANCES, output.work / OBJECTS):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (output.folder / COCO_NAME, output.work / RECORD_NAME):
        path.unlink(missing_ok=True)


def _read_record(output: LabelOutput) -> dict[str, dict[str, Any]]:
    path = output.work / RECORD_NAME
    try:
        found = read_json(path) if path.is_file() else {}
        return {name: dict(found.get(name, {})) for name in ("frames", "bridges")}
    except (UserError, ValueError, AttributeError, TypeError):
        return {"frames": {}, "bridges": {}}
