"""Labels by ``seglift label``, scored by ``seglift score``: nothing here is not the product's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from quality.jobs import Job, Parts
from quality.setups import Setup
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.run import run_label
from seglift.workflows.score.run import Scores, score_folders


def score_parts(parts: Parts, setup: Setup) -> dict[str, Any]:
    """What ``score --json`` says of each part, the scores of its jobs pooled."""
    return {name: _pooled(label_and_score(job, setup) for job in jobs).as_json() for name, jobs in parts.items()}


def label_and_score(job: Job, setup: Setup) -> Scores:
    """Labels one stretch from its keyframes and scores the rest of it: void as a class, consistency over time, too."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        keyframes = _link(work / "keyframes", (job.labels[index] for index in job.keyframes))
        truth = _link(work / "truth", (job.labels[index] for index in range(*job.cut) if index not in job.left_out))
        config = LabelConfig(
            job.frames,
            keyframes,
            work / "out",
            job.space,
            direction=job.direction,
            cut=job.cut,
            **setup.options,  # type: ignore[arg-type]
        )
        run_label(config)
        return score_folders(
            work / "out",
            truth,
            job.space,
            keyframes=keyframes,
            between=job.between,
            with_ignore=job.space != "binary",
            frames=job.frames,
        )


def _link(folder: Path, files: Iterable[Path]) -> Path:
    folder.mkdir()
    for path in files:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def _pooled(scores: Iterable[Scores]) -> Scores:
    first, *rest = scores
    for one in rest:
        first += one
    return first
