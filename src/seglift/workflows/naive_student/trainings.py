"""What teachers and students are trained on: sources for recipes of ``seglift train``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seglift.workflows.naive_student.data import HumanLabels
from seglift.workflows.rounds.dataset_output import SPLIT
from seglift.workflows.rounds.trainings import Values, source_values

PSEUDO = "pseudo"


def human_source(labels: HumanLabels, subset: Path) -> Values:
    """The human labels of a source: where they lie, or in the folder ``subset`` where not all of them are used."""
    if labels.source.share == 1:
        return source_values(labels.source, labels.dataset.root)
    classes = {"classes": dict(labels.source.classes)} if labels.source.classes else {}
    return {"dataset": "folder", "name": labels.source.called, "split": SPLIT, "root": str(subset), **classes}


def pseudo_source(folder: Path) -> Values:
    """The pseudo-labels of a round."""
    return {"dataset": "folder", "name": PSEUDO, "split": SPLIT, "root": str(folder)}


def mixed(human: Sequence[Values], pseudo: Values, share: float | None) -> list[Values]:
    """What a student trains on: pseudo-labels alone, or with a share of each epoch from human labels."""
    if share is None:
        return [pseudo]
    return [
        {**pseudo, "quota": 1 - share},
        *({**source, "quota": share / len(human)} for source in human),
    ]
