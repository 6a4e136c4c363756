"""``seglift study``: several policies times several seeds of one recipe, compared honestly."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.progress import say
from seglift.report.study_plot import study_plot
from seglift.workflows.output_lock import only_writer
from seglift.workflows.recipe import parse_recipe, read_yaml, with_overrides
from seglift.workflows.score import render_table
from seglift.workflows.study_statistics import Summary, summarise
from seglift.workflows.train import TrainOptions, run_training

RECORD = "study.json"
RUN_SCORES = "scores.json"
SEED = "fit.seed"


@dataclass(frozen=True)
class StudyRecipe:
    """Which trainings to compare."""

    recipe: str | dict[str, Any]
    """A recipe of `seglift train`: a file (relative to the study's), or its values."""
    policies: dict[str, dict[str, Any]]
    """What each policy changes in the recipe, by dotted name; ``{}`` changes nothing."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every policy runs with each of them, so that runs pair up."""
    baseline: str | None = None
    """The policy that others are compared with; the first by default."""
    metric: str = "miou"
    """Name of the score in scores.json; larger is better."""
    runs: dict[str, Any] = field(default_factory=dict)
    """What all policies change in the recipe, by dotted name."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if not self.policies or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UserError("a study needs at least one policy and one seed, and each seed once; correct the recipe")
        wrong = [name for name in self.policies if not name or "/" in name or name.startswith(".")]
        if wrong:
            raise UserError(f"a policy is called {wrong[0]!r}, expected a plain folder name; rename it")
        if self.baseline is not None and self.baseline not in self.policies:
            raise UserError(f"the baseline {self.baseline!r} is none of {', '.join(self.policies)}; correct it")
        if any(SEED in changes for changes in self.policies.values()):
            raise UserError("a policy sets fit.seed, which the study's seeds set; leave it out of policies")

    @property
    def reference(self) -> str:
        """Name of the policy that the others are compared with."""
        return self.baseline or next(iter(self.policies))


@dataclass(frozen=True)
class Run:
    """One training of a study: a policy with a seed, and where it is kept."""

    policy: str
    seed: int
    folder: Path


@dataclass(frozen=True)
class StudyResult:
    """Summaries of the policies by the score ``metric``, and how many runs are still to be done."""

    summaries: list[Summary]
    metric: str
    left: int


def run_study(
    recipe_path: Path, out: Path, options: TrainOptions, limit: int | None = None, minutes: float | None = None
) -> StudyResult:
    """Does the runs of a study that are not done yet and compares what there is.

    Seeds come first: all policies with the first seed, then with the next, so that an interrupted study compares what
    it can. Each run is a whole output of `seglift train` in ``out/POLICY/seed_N``; ``study.csv``, ``summary.json`` and
    ``study.png`` are written after every run.

    Args:
        recipe_path: YAML of a :class:`StudyRecipe`.
        out: folder of the study; a later call goes on, also with more seeds or policies.
        options: roots, device, corrupt images and overrides for the trainings.
        limit: most runs to do in this call.
        minutes: starts no run after so many minutes.

    Raises:
        UserError: the recipe is wrong, ``out`` holds a study of another recipe, or a run fails.
    """
    study = parse_recipe(read_yaml(recipe_path), StudyRecipe, str(recipe_path))
    base = _base_recipe(study, recipe_path)
    started = time.monotonic()
    with only_writer(out, out):
        _check_record(out, study, base, options)
        pending = [run for run in _runs(study, out) if not (run.folder / RUN_SCORES).is_file()]
        chosen = pending if limit is None else pending[:limit]
        for number, run in enumerate(chosen):
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                break
            say(f"run {number + 1} of {len(chosen)}: {run.policy}, seed {run.seed}")
            values = with_overrides(base, {**study.runs, **study.policies[run.policy], SEED: run.seed})
            run_training(values, str(recipe_path), run.folder, options)
            _write_results(study, out)
    left = sum(not (run.folder / RUN_SCORES).is_file() for run in _runs(study, out))
    return StudyResult(_write_results(study, out), study.metric, left)


def _base_recipe(study: StudyRecipe, where: Path) -> dict[str, Any]:
    if isinstance(study.recipe, dict):
        return study.recipe
    return read_yaml(where.parent / study.recipe)


def _runs(study: StudyRecipe, out: Path) -> list[Run]:
    return [Run(policy, seed, out / policy / f"seed_{seed}") for seed in study.seeds for policy in study.policies]


def _check_record(out: Path, study: StudyRecipe, base: Mapping[str, Any], options: TrainOptions) -> None:
    """Keeps what each policy means; seeds and policies may be added, but a known one must not change."""
    shared = [base, study.runs, options.overrides, study.metric]
    meaning = {name: fingerprint_values(changes, shared) for name, changes in study.policies.items()}
    record = out / RECORD
    known: dict[str, str] = read_json(record)["policies"] if record.is_file() else {}
    changed = [name for name in meaning if name in known and known[name] != meaning[name]]
    if changed:
        raise UserError(
            f"{out} holds runs of the policy {changed[0]} with another meaning (the recipe changed since);"
            " rename the policy or choose another --out"
        )
    write_json(record, {"policies": known | meaning, "recipe": dict(base), "metric": study.metric})


def collect(study: StudyRecipe, out: Path) -> dict[str, dict[int, float]]:
    """Score by seed, by policy, of the runs that are done.

    Raises:
        UserError: a run has no score of the study's name.
    """
    scores: dict[str, dict[int, float]] = {name: {} for name in study.policies}
    for run in _runs(study, out):
        path = run.folder / RUN_SCORES
        if not path.is_file():
            continue
        value = read_json(path).get(study.metric)
        if not isinstance(value, int | float):
            raise UserError(f"{path} has no number called {study.metric}; give the study another metric")
        scores[run.policy][run.seed] = float(value)
    return scores


def _write_results(study: StudyRecipe, out: Path) -> list[Summary]:
    scores = collect(study, out)
    summaries = summarise(scores, study.reference)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["policy", "seed", study.metric])
    for policy, values in scores.items():
        rows.writerows([policy, seed, f"{value:.6f}"] for seed, value in sorted(values.items()))
    write_bytes(out / "study.csv", text.getvalue().encode())
    write_json(out / "summary.json", {"metric": study.metric, "policies": [asdict(entry) for entry in summaries]})
    if summaries:
        write_bytes(out / "study.png", study_plot(scores, study.metric))
    return summaries


def format_study(summaries: Sequence[Summary], metric: str) -> str:
    """The table for a person: percent, mean +- sample standard deviation, difference +- its standard error."""

    def spread(value: float | None, error: float | None) -> str:
        if value is None:
            return ""
        return f"{100 * value:+.2f}" if error is None else f"{100 * value:+.2f} ± {100 * error:.2f}"

    rows = []
    for entry in summaries:
        mean = f"{100 * entry.mean:.2f}" + ("" if entry.deviation is None else f" ± {100 * entry.deviation:.2f}")
        rows.append((entry.policy, str(entry.runs), mean, spread(entry.difference, entry.error), entry.verdict))
    columns = ("policy", "runs", f"{metric} ± s.d.", "difference ± s.e.", "verdict")
    return render_table("Study: mean and sample standard deviation over seeds", columns, rows)
