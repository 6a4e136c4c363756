"""``seglift study``: several policies times several seeds of one recipe, compared honestly."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.progress import say
from seglift.report.study_plot import study_plot
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.one_process import require_one_process
from seglift.workflows.recipes.overrides import check_roots
from seglift.workflows.score.run import render_table
from seglift.workflows.study.recipe import Policies, StudyRecipe, read_study
from seglift.workflows.study.statistics import Summary, summarise
from seglift.workflows.train.data import check_sources
from seglift.workflows.train.folder import INDEX, SCORES
from seglift.workflows.train.segmentation import run_training
from seglift.workflows.train.setup import TrainOptions

RECORD = "study.json"


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
    ``study.png`` are written after every run. Runs share the class indices in ``out/class_index``.

    Args:
        recipe_path: YAML of a :class:`StudyRecipe`.
        out: folder of the study; a later call goes on, also with more seeds or policies.
        options: roots, device, corrupt images and overrides for the trainings.
        limit: most runs to do in this call.
        minutes: starts no run after so many minutes.

    Raises:
        UserError: the recipe of the study or of a policy is wrong, ``out`` holds a study of another recipe, a run
            fails, or several processes were started.
    """
    instead = "train OUT/POLICY/seed_N by `seglift train` under torchrun and let the study compare them"
    require_one_process("a study", instead)
    study, policies = read_study(recipe_path, options.overrides)
    check_roots(options.roots, set().union(*policies.sources.values()))
    check_sources((policies.recipes[run.policy] for run in _pending(study, out)[:limit]), options.roots)
    started = time.monotonic()
    with only_writer(out, out):
        _check_record(out, study, policies)
        chosen = _pending(study, out)[:limit]
        for number, run in enumerate(chosen):
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                break
            say(f"run {number + 1} of {len(chosen)}: {run.policy}, seed {run.seed}")
            roots = {name: root for name, root in options.roots.items() if name in {"", *policies.sources[run.policy]}}
            own = replace(options, roots=roots, overrides={}, cache=options.cache or out / INDEX)
            run_training(policies.with_seed(run.policy, run.seed), str(recipe_path), run.folder, own)
            _write_results(study, out)
    return StudyResult(_write_results(study, out), study.metric, len(_pending(study, out)))


def _runs(study: StudyRecipe, out: Path) -> list[Run]:
    return [Run(policy, seed, out / policy / f"seed_{seed}") for seed in study.seeds for policy in study.policies]


def _pending(study: StudyRecipe, out: Path) -> list[Run]:
    """The runs that are not done."""
    return [run for run in _runs(study, out) if not (run.folder / SCORES).is_file()]


def _check_record(out: Path, study: StudyRecipe, policies: Policies) -> None:
    """Keeps what each policy means; seeds and policies may be added, but a known one must not change."""
    meaning = {name: fingerprint_values(values) for name, values in policies.values.items()}
    record = out / RECORD
    known: dict[str, str] = read_json(record)["policies"] if record.is_file() else {}
    changed = [name for name in meaning if name in known and known[name] != meaning[name]]
    if changed:
        raise UserError(
            f"{out} holds runs of the policy {changed[0]} with another meaning (the recipe changed since);"
            " rename the policy or choose another --out"
        )
    write_json(record, {"policies": known | meaning, "recipes": policies.values, "metric": study.metric})


def collect(study: StudyRecipe, out: Path) -> dict[str, dict[int, float]]:
    """Score by seed, by policy, of the runs that are done.

    Raises:
        UserError: a run has no score of the study's name.
    """
    scores: dict[str, dict[int, float]] = {name: {} for name in study.policies}
    for run in _runs(study, out):
        path = run.folder / SCORES
        if not path.is_file():
            continue
        value = read_json(path).get(study.metric)
        if not isinstance(value, int | float):
            raise UserError(f"{path} has no number called {study.metric}; choose another metric, or remove the file")
        scores[run.policy][run.seed] = float(value)
    return scores


def _write_results(study: StudyRecipe, out: Path) -> list[Summary]:
    scores = collect(study, out)
    summaries = summarise(scores, study.reference, study.oracle)
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

    with_share = any(entry.share is not None for entry in summaries)
    columns = ["policy", "runs", f"{metric} ± s.d.", "difference ± s.e.", "verdict"]
    rows = []
    for entry in summaries:
        mean = f"{100 * entry.mean:.2f}" + ("" if entry.deviation is None else f" ± {100 * entry.deviation:.2f}")
        row = [entry.policy, str(entry.runs), mean, spread(entry.difference, entry.error), entry.verdict]
        rows.append([*row, "" if entry.share is None else f"{100 * entry.share:.0f} %"] if with_share else row)
    if with_share:
        columns.append("of the oracle's gain")
    return render_table("Study: mean and sample standard deviation over seeds", columns, rows)
