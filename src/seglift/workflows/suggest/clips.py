"""Which frames of labelled clips to label next: lowest expected quality first, spread in time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import read_json
from seglift.report.contents import FrameRecord
from seglift.report.selection import labelling_rounds
from seglift.workflows.label.output import LabelOutput
from seglift.workflows.suggest.budget import Budget
from seglift.workflows.suggest.suggestions import Suggestion, Suggestions

FRAMES_NAME, RUN_NAME = "frames.jsonl", "run.json"
SHOWN = ("index", "stem", "distance", "estimated_miou", "mean_confidence")
"""Of a line of ``frames.jsonl``, what programs are told."""


@dataclass(frozen=True)
class LabelledClip:
    """An OUT of ``seglift label``.

    Attributes:
        folder: OUT.
        space: name of its label space.
        lines: of ``frames.jsonl``, one for each frame.
        records: the same as numbers.
    """

    folder: Path
    space: str
    lines: tuple[Mapping[str, Any], ...]
    records: tuple[FrameRecord, ...]

    @property
    def keyframes(self) -> frozenset[int]:
        """Positions of the frames that a human drew."""
        return frozenset(place for place, record in enumerate(self.records) if record.distance == 0)

    @property
    def values(self) -> list[float | None]:
        """Expected quality of each frame, 0..1."""
        return [record.expected_quality for record in self.records]

    def count_choosable(self) -> int:
        """Frames that can be suggested: no keyframes."""
        drawn = self.keyframes
        return sum(value is not None and place not in drawn for place, value in enumerate(self.values))

    def suggestion(self, place: int) -> Suggestion:
        """The frame at a position, with why it is to be labelled."""
        line, record = self.lines[place], self.records[place]
        estimate, expected = record.estimated_miou, record.expected_quality or 0.0
        why = f"{'mean confidence' if estimate is None else 'expected mIoU'} {100 * expected:.1f}"
        if record.distance is not None:
            why += f", {counted(record.distance, 'frame')} from a keyframe"
        about = {"clip": str(self.folder), **{name: line.get(name) for name in SHOWN}}
        return Suggestion(str(self.folder / "labels" / f"{line['stem']}.png"), why, about)


def suggest_frames(folders: Sequence[Path], budget: Budget) -> Suggestions:
    """Frames to label next, over all clips.

    First come those frames that the clips' reports name, of all clips the worst one first; then, with these as further
    keyframes, those between (:func:`.labelling_rounds`). Asking for more only appends.

    Args:
        folders: OUTs of ``seglift label``.
        budget: how many.

    Raises:
        UserError: a folder is none of ``label``, is not finished or given twice, the clips have different label spaces,
            or the budget is beyond the frames.
    """
    _check_different(folders)
    clips = [read_clip(folder) for folder in folders]
    spaces = {clip.space: clip.folder for clip in clips}
    if len(spaces) > 1:
        told = ", ".join(f"{folder} in {space}" for space, folder in spaces.items())
        raise UserError(f"the clips have different label spaces ({told}), whose mIoU cannot be compared; give one kind")
    available = sum(clip.count_choosable() for clip in clips)
    what = "frames that are no keyframes"
    rounds = _rounds(clips)
    ranked = next(rounds, [])
    count = budget.labels(available, what, usual=len(ranked))
    while len(ranked) < count:
        ranked += next(rounds)
    items = tuple(clips[number].suggestion(place) for _, number, place in ranked[:count])
    return Suggestions(items, budget.minutes, available, what, "lowest expected quality first")


def read_clip(folder: Path) -> LabelledClip:
    """What ``seglift label`` says of a clip.

    Raises:
        UserError: ``folder`` is no OUT of ``label``, its run is not finished, or a file is damaged.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} {'is a file' if folder.exists() else 'does not exist'}; give a folder that seglift label wrote"
        )
    output, path = LabelOutput(folder), folder / FRAMES_NAME
    if not path.is_file():
        if (output.work / "identity.json").is_file():
            raise _unfinished(folder)
        run = read_json(folder / RUN_NAME) if (folder / RUN_NAME).is_file() else {}
        command = run.get("command") if isinstance(run, dict) else None
        whose = f"was written by seglift {command}" if command else f"has no {FRAMES_NAME}"
        raise UserError(f"{folder} {whose}, expected a folder that seglift label wrote; give its --out")
    try:
        lines = tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
        stems = [str(line["stem"]) for line in lines]
        records = tuple(FrameRecord.from_json(line) for line in lines)
        space = str(read_json(folder / RUN_NAME)["options"]["space"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} or {RUN_NAME} is not what seglift label writes ({type(error).__name__}: {error}); run label again"
        ) from error
    if output.work.is_dir():
        _require_finished(output, dict(zip(stems, lines, strict=True)))
    return LabelledClip(folder, space, lines, records)


def _rounds(clips: Sequence[LabelledClip]) -> Iterator[list[tuple[float, int, int]]]:
    """Value, number of the clip and position of the frames of each round, the lowest value first."""
    rounds = [labelling_rounds(clip.values, clip.keyframes) for clip in clips]
    while chosen := [(value, n, place) for n, found in enumerate(rounds) for value, place in next(found, ())]:
        yield sorted(chosen)


def _require_finished(output: LabelOutput, lines: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses a clip whose frames were labelled anew since ``frames.jsonl`` was written."""
    journal = output.journal()
    for stem, line in lines.items():
        entry = journal.get(stem)
        if entry is None or any(entry[name] != value for name, value in line.items() if name in entry):
            raise _unfinished(output.folder)


def _unfinished(folder: Path) -> UserError:
    return UserError(f"the run of seglift label in {folder} is not finished; run the same command again, it goes on")


def _check_different(folders: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise UserError(f"{folder} is given twice; give each clip once")
        seen.add(folder.resolve())
