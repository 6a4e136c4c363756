"""What a study says: ``study.csv``, ``classes.csv``, ``summary.json``, plots and the tables for a person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seglift.base.files import write_bytes, write_json
from seglift.report.budget_plot import BudgetScores, budget_plot
from seglift.report.study_plot import study_plot
from seglift.workflows.score.over_seeds import Summary, summarise
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS
from seglift.workflows.score.text import render_table
from seglift.workflows.study.by_class import summarise_classes, write_class_rows
from seglift.workflows.study.costs import lines_over_hours, policy_hours
from seglift.workflows.study.recipe import StudyRecipe
from seglift.workflows.study.runs import Run, Scores, collect, numbers

FEW_HOURS = 100
"""Hours below it have a decimal in the table."""


@dataclass(frozen=True)
class StudySummary:
    """What policies reach by one score.

    Attributes:
        metric: name of the score.
        policies: one summary for each that has a run, against the baseline.
        networks: of policies that train several networks one after the other, one summary for each of these, against
            the first.
        hours: of annotation, by policy, where they are said.
    """

    metric: str
    policies: list[Summary]
    networks: dict[str, list[Summary]]
    hours: Mapping[str, float] = field(default_factory=dict)


def write_results(study: StudyRecipe, runs: Sequence[Run], out: Path) -> list[StudySummary]:
    """Compares what there is and writes it to ``out``; one summary for each metric of the study.

    Raises:
        UserError: a run has no such score, or ``out`` cannot be written.
    """
    found = collect(runs)
    summaries = [_summarise(study, found, metric) for metric in study.metrics]
    write_bytes(out / "study.csv", _rows(study, found).encode())
    about = {
        entry.metric: {
            "policies": [asdict(row) | _hours(entry.hours, row.policy) for row in entry.policies],
            "networks": {name: [asdict(row) for row in rows] for name, rows in entry.networks.items()},
        }
        for entry in summaries
    }
    by_class = summarise_classes(found, study.reference)
    classes = {name: [asdict(row) for row in rows] for name, rows in by_class.items()}
    write_json(out / "summary.json", {"metrics": about, "classes": classes})
    if by_class:
        write_bytes(out / "classes.csv", write_class_rows(by_class).encode())
    by_metric = {SINGLE_NUMBERS[metric].title: _by_policy(found, metric) for metric in study.metrics}
    if any(values for scores in by_metric.values() for values in scores.values()):
        write_bytes(out / "study.png", study_plot(by_metric))
    if parts := _over_hours(study, by_metric):
        write_bytes(out / "budget.png", budget_plot(parts))
    else:
        (out / "budget.png").unlink(missing_ok=True)
    return summaries


def format_study(summaries: Sequence[StudySummary]) -> str:
    """Tables for a person: percent, mean +- sample standard deviation, difference +- its standard error."""
    tables = []
    for entry in summaries:
        title = SINGLE_NUMBERS[entry.metric].title
        if entry.policies:
            heading = f"{title}: mean and sample standard deviation over seeds"
            tables.append(_table(heading, "policy", entry.policies, entry.hours))
        for name, rows in entry.networks.items():
            tables.append(_table(f"{title} of {name}, by network", "network", rows))
    return "\n".join(tables) if tables else "no run is done yet"


def _summarise(study: StudyRecipe, found: Mapping[str, Mapping[str, Scores]], metric: str) -> StudySummary:
    networks = {
        policy: summarise(scores, next(iter(scores)))
        for policy, scores in _by_network(found, metric).items()
        if len(scores) > 1 and any(scores.values())
    }
    policies = summarise(_by_policy(found, metric), study.reference, study.oracle)
    return StudySummary(metric, policies, networks, policy_hours(study))


def _by_network(found: Mapping[str, Mapping[str, Scores]], metric: str) -> dict[str, dict[str, dict[int, float]]]:
    """One score by seed, by policy and network."""
    return {
        policy: {name: numbers(scores, metric, f"{policy} {name}".strip()) for name, scores in networks.items()}
        for policy, networks in found.items()
    }


def _by_policy(found: Mapping[str, Mapping[str, Scores]], metric: str) -> dict[str, dict[int, float]]:
    """One score by seed and policy: that of the network that was trained last."""
    return {policy: list(networks.values())[-1] for policy, networks in _by_network(found, metric).items()}


def _rows(study: StudyRecipe, found: Mapping[str, Mapping[str, Scores]]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    hours = policy_hours(study)
    rows.writerow(["policy", "network", "seed", *["hours"] * bool(hours), *study.metrics])
    for policy, networks in found.items():
        cost = [f"{hours[policy]:.6g}" if policy in hours else ""] * bool(hours)
        for network, scores in networks.items():
            rows.writerows([policy, network, seed, *cost, *_cells(study, scores[seed])] for seed in sorted(scores))
    return text.getvalue()


def _over_hours(study: StudyRecipe, by_metric: Mapping[str, Mapping[str, Mapping[int, float]]]) -> list[BudgetScores]:
    """What is drawn over hours, for each score; nothing where no policy with hours has a run."""
    hours, parts = policy_hours(study), []
    for title, scores in by_metric.items():
        lines = {
            name: [(hours[policy], list(scores[policy].values())) for policy in policies]
            for name, policies in lines_over_hours(study, [policy for policy in scores if scores[policy]]).items()
        }
        level = scores.get(study.line, {}) if study.line is not None else {}
        if lines:
            parts.append(BudgetScores(title, lines, (str(study.line), list(level.values())) if level else None))
    return parts


def _hours(hours: Mapping[str, float], policy: str) -> dict[str, float]:
    return {"hours": hours[policy]} if policy in hours else {}


def _cells(study: StudyRecipe, scores: Mapping[str, Any]) -> Iterator[str]:
    for metric in study.metrics:
        value = SINGLE_NUMBERS[metric].of(scores)
        yield "" if value is None else f"{value:.6f}"


def _table(title: str, what: str, summaries: Sequence[Summary], hours: Mapping[str, float] | None = None) -> str:
    with_share = any(entry.share is not None for entry in summaries)
    columns = [what, *["hours"] * bool(hours), "runs", "mean ± s.d.", "difference ± s.e.", "verdict"]
    rows = []
    for entry in summaries:
        mean = f"{100 * entry.mean:.2f}" + ("" if entry.deviation is None else f" ± {100 * entry.deviation:.2f}")
        cost = [_short_hours(hours[entry.policy]) if entry.policy in hours else ""] if hours else []
        row = [entry.policy, *cost, str(entry.runs), mean, _spread(entry.difference, entry.error), entry.verdict]
        rows.append([*row, "" if entry.share is None else f"{100 * entry.share:.0f} %"] if with_share else row)
    if with_share:
        columns.append("of the oracle's gain")
    return render_table(title, columns, rows)


def _short_hours(hours: float) -> str:
    return f"{hours:.0f}" if hours >= FEW_HOURS else f"{hours:.1f}"


def _spread(value: float | None, error: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:+.2f}" if error is None else f"{100 * value:+.2f} ± {100 * error:.2f}"
