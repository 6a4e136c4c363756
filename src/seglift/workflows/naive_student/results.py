"""What the networks of the rounds reach."""

from __future__ import annotations

from pathlib import Path

from seglift.base.files import read_json
from seglift.workflows.naive_student.plan import SelftrainPlan
from seglift.workflows.naive_student.rounds import models_of
from seglift.workflows.rounds.results import ModelScores
from seglift.workflows.train.folder import SCORES


def collect(plan: SelftrainPlan, out: Path) -> list[ModelScores]:
    """The scores that there are, by network in the order of the rounds.

    Raises:
        UserError: a file of scores is damaged.
    """
    rows = []
    for model in models_of(plan.recipe):
        network = plan.teacher if model.round == 0 else plan.students[model.round - 1]
        paths = {seed: model.folder(out, seed) / SCORES for seed in plan.recipe.seeds}
        rows.append(ModelScores(model, network, {n: read_json(path) for n, path in paths.items() if path.is_file()}))
    return rows
