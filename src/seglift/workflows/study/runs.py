"""The runs of a study: which there are, what is left to do, what they reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import read_json
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS
from seglift.workflows.study.recipe import Policy, StudyRecipe
from seglift.workflows.train.setup import TrainOptions

Scores = Mapping[int, Mapping[str, Any]]
"""Contents of ``scores.json`` by seed."""


@dataclass(frozen=True)
class Run:
    """A policy with a seed, and where it is kept."""

    policy: Policy
    seed: int
    folder: Path

    @property
    def values(self) -> dict[str, Any]:
        """Its recipe."""
        return self.policy.with_seed(self.seed)

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.policy.name}, seed {self.seed}"

    @property
    def scores(self) -> dict[str, Path]:
        """Files of scores by network; the last one's are those of the run."""
        return self.policy.kind.scores(self.values, self.folder)

    def is_done(self) -> bool:
        """Whether all of them are there, and what is written after them."""
        return all(path.is_file() for path in (*self.scores.values(), self.folder / self.policy.kind.last))

    def options(self, given: TrainOptions) -> TrainOptions:
        """The options of the study with those roots that the recipe knows, and no overrides: they are in it."""
        roots = {name: root for name, root in given.roots.items() if name in {"", *self.policy.sources}}
        return replace(given, roots=roots, overrides={})


def runs_of(study: StudyRecipe, policies: Mapping[str, Policy], out: Path) -> list[Run]:
    """All runs, seeds first, so that an interrupted study compares what it can."""
    return [
        Run(policy, seed, out / policy.name / f"seed_{seed}") for seed in study.seeds for policy in policies.values()
    ]


def pending(runs: Sequence[Run]) -> list[Run]:
    """Those that are not done."""
    return [run for run in runs if not run.is_done()]


def describe_policies(runs: Sequence[Run], options: TrainOptions) -> dict[str, list[str]]:
    """What the first run of each policy would do, by policy, after all that can be checked beforehand.

    Args:
        runs: of any policies.
        options: of the study.

    Raises:
        UserError: a run would be refused.
    """
    first = {run.policy.name: run for run in reversed(runs)}
    quiet = replace(options, quiet=True)
    return {name: _described(run, run.options(quiet)) for name, run in first.items()}


def _described(run: Run, options: TrainOptions) -> list[str]:
    where = run.policy.where
    try:
        return run.policy.kind.describe(run.values, where, run.folder, options)
    except UserError as error:
        if where in str(error):
            raise
        raise UserError(f"{where}: {error}") from error


def siblings(run: Run, runs: Sequence[Run]) -> list[Path]:
    """Folders of the other policies' runs with the same seed."""
    return [other.folder for other in runs if other.seed == run.seed and other.policy.name != run.policy.name]


def collect(runs: Sequence[Run]) -> dict[str, dict[str, dict[int, dict[str, Any]]]]:
    """What the runs reached so far: contents of ``scores.json`` by policy, network and seed.

    Raises:
        UserError: a file is damaged.
    """
    found: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}
    for run in runs:
        networks = found.setdefault(run.policy.name, {})
        for network, path in run.scores.items():
            by_seed = networks.setdefault(network, {})
            if path.is_file():
                by_seed[run.seed] = read_json(path)
    return found


def numbers(scores: Scores, metric: str, what: str) -> dict[int, float]:
    """One score by seed.

    Args:
        scores: by seed.
        metric: name in ``SINGLE_NUMBERS``.
        what: whose scores they are, for the error.

    Raises:
        UserError: a run has no such number.
    """
    values = {seed: SINGLE_NUMBERS[metric].of(entry) for seed, entry in scores.items()}
    lacking = [seed for seed, value in values.items() if value is None]
    if lacking:
        raise UserError(
            f"{what}, seed {lacking[0]}, has no number called {metric} in its scores; choose other metrics, or train it"
            " anew"
        )
    return {seed: value for seed, value in values.items() if value is not None}
