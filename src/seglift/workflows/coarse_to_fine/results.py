"""What the networks of the rounds reach, and how much of the labels was filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seglift.base.files import read_json
from seglift.workflows.coarse_to_fine.filled_labels import read_shares
from seglift.workflows.coarse_to_fine.plan import CoarsePlan
from seglift.workflows.coarse_to_fine.rounds import filled_folder, models_of
from seglift.workflows.rounds.results import ModelScores
from seglift.workflows.train.folder import SCORES

Shares = dict[int, dict[int, dict[str, float | None]]]
"""Shares of pixels, by round, then by seed; see ``FillCounts.shares``."""


def collect(plan: CoarsePlan, out: Path) -> list[ModelScores]:
    """The scores that there are, by network in the order of the rounds.

    Raises:
        UserError: a file of scores is damaged.
    """
    rows = []
    for model in models_of(plan.recipe):
        paths = {seed: model.folder(out, seed) / SCORES for seed in plan.recipe.seeds}
        scores = {seed: read_json(path) for seed, path in paths.items() if path.is_file()}
        rows.append(ModelScores(model, plan.network, scores))
    return rows


def collect_shares(plan: CoarsePlan, out: Path) -> Shares:
    """How much of the labels was drawn and filled, of the rounds that came so far.

    Raises:
        UserError: a file is damaged.
    """
    found: Shares = {}
    for number in range(1, plan.recipe.rounds):
        by_seed = {seed: read_shares(filled_folder(out, seed, number)) for seed in plan.recipe.seeds}
        found[number] = {seed: shares for seed, shares in by_seed.items() if shares is not None}
    return found


def shares_as_json(shares: Shares) -> dict[str, Any]:
    """For ``rounds.json`` and ``run.json``."""
    by_round = [
        {"round": number, "seeds": {str(seed): values for seed, values in by_seed.items()}}
        for number, by_seed in shares.items()
        if by_seed
    ]
    return {"filled": by_round}
