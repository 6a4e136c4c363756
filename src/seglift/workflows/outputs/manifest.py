"""``manifest.jsonl``: which pair of a synthesized dataset was made from which labelled frame, one line a pair."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import write_bytes

MANIFEST_NAME = "manifest.jsonl"
PATHS = ("image", "label", "confidence", "instances")
FIELDS = ("dataset", "source_frame", "target_frame", "k", "method", "pairs", "clip", *PATHS)
"""Of a line, in this order; confidence and instances only where there are such files. Paths are relative."""


@dataclass(frozen=True)
class ManifestPair:
    """What is needed of a line to score it.

    Attributes:
        target_frame: stem of the frame that was labelled.
        clip: the video that it is a frame of, None where that is not known.
        k: signed distance from the labelled frame.
        label: the label PNG.
    """

    target_frame: str
    clip: str | None
    k: int
    label: Path


def write_manifest(folder: Path, pairs: Iterable[Mapping[str, Any]]) -> None:
    """Writes the manifest of the dataset in ``folder``, pairs in the order given.

    Raises:
        UserError: the folder cannot be written.
    """
    lines = [json.dumps({name: pair[name] for name in FIELDS if name in pair}) + "\n" for pair in pairs]
    write_bytes(folder / MANIFEST_NAME, "".join(lines).encode())


def read_manifest(folder: Path) -> list[ManifestPair]:
    """The pairs of the dataset in ``folder``.

    Raises:
        UserError: the manifest cannot be read, or a line is none of a manifest.
    """
    path = folder / MANIFEST_NAME
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [
            ManifestPair(str(row["target_frame"]), row.get("clip"), int(row["k"]), folder / row["label"])
            for row in rows
        ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no manifest of seglift synthesize ({type(error).__name__}: {error}); run synthesize again, or "
            f"give {folder / 'labels'} to score its labels alone"
        ) from error
