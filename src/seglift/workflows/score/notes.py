"""What ``frames.jsonl`` and ``run.json`` of an OUT of ``label`` say of its frames, as far as scores need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import read_json

FRAMES_NAME = "frames.jsonl"
RUN_NAME = "run.json"


@dataclass(frozen=True)
class FrameNote:
    """What is noted of one frame.

    Attributes:
        is_keyframe: a human drew it.
        estimated_miou: mIoU that ``label`` expects of it, 0..1; None where it says nothing.
    """

    is_keyframe: bool = False
    estimated_miou: float | None = None


NOTHING_NOTED = FrameNote()


def read_notes(labels: Path) -> dict[str, FrameNote]:
    """Notes by file stem, from ``frames.jsonl`` beside a folder called ``labels``; none where there is no such file.

    Raises:
        UserError: the file cannot be read, or a line is none of ``label``.
    """
    path = labels.with_name(FRAMES_NAME)
    if labels.name != "labels" or not path.is_file():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {str(row["stem"]): _note(row) for row in rows}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not what seglift label writes ({type(error).__name__}: {error}); run label again, or copy "
            "the label PNGs elsewhere to score them alone"
        ) from error


def read_cuts(labels: Path) -> frozenset[str]:
    """Stems of the first frames of scenes, but of the first scene, from ``run.json`` beside a folder called ``labels``.

    None where there is no such file, or where it tells of no scenes.

    Raises:
        UserError: the file cannot be read, or is none of ``label``.
    """
    path = labels.with_name(RUN_NAME)
    if labels.name != "labels" or not path.is_file():
        return frozenset()
    try:
        scenes = read_json(path).get("scenes") or {"cuts": ()}
        return frozenset(str(cut["stem"]) for cut in scenes["cuts"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not what seglift label writes ({type(error).__name__}: {error}); run label again, or copy "
            "the label PNGs elsewhere to score them alone"
        ) from error


def _note(row: Mapping[str, Any]) -> FrameNote:
    estimate = row.get("estimated_miou")
    if estimate is not None and not 0.0 <= float(estimate) <= 1.0:
        raise ValueError(f"estimated_miou must be 0..1, got {estimate}")
    human = (row.get("provenance") or {}).get("human")
    drawn = row.get("distance") == 0 if human is None else human == 1
    return FrameNote(drawn, None if estimate is None else float(estimate))
