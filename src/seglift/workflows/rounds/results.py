"""What the networks of the rounds reach: files, and one table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seglift.base.files import write_bytes, write_json
from seglift.workflows.rounds.networks import Model, Network
from seglift.workflows.score.over_seeds import Summary, summarise
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS
from seglift.workflows.score.text import render_table

ROUNDS_JSON, ROUNDS_CSV = "rounds.json", "rounds.csv"
SHOWN = ("miou", "pq", "ap")
"""Scores of the table and the curves."""


@dataclass(frozen=True)
class ModelScores:
    """A network of the rounds with its scores.

    Attributes:
        model: which one.
        network: what it is.
        scores: contents of ``scores.json`` by seed, of the seeds that came so far.
    """

    model: Model
    network: Network
    scores: Mapping[int, Mapping[str, Any]]

    def values(self, metric: str) -> dict[int, float]:
        """A score of ``SINGLE_NUMBERS`` by seed, 0..1; seeds that lack it are left out."""
        values = {seed: SINGLE_NUMBERS[metric].of(scores) for seed, scores in self.scores.items()}
        return {seed: value for seed, value in values.items() if value is not None}


def tells_all(report: Path, journal: Path) -> bool:
    """Whether a report was written after the last stage; a call that is killed while writing leaves the one before."""
    return report.is_file() and (not journal.is_file() or report.stat().st_mtime_ns >= journal.stat().st_mtime_ns)


def write_results(rows: Sequence[ModelScores], out: Path, more: Mapping[str, Any] | None = None) -> None:
    """Writes ``rounds.json`` and ``rounds.csv``.

    Args:
        rows: networks with their scores.
        out: OUT of the rounds.
        more: further values for ``rounds.json``, by name.

    Raises:
        UserError: ``out`` cannot be written.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["seed", "round", "model", "network", "parameters", *SINGLE_NUMBERS])
    found = []
    for row in rows:
        by_metric = {metric: row.values(metric) for metric in SINGLE_NUMBERS}
        about = [row.model.round, row.model.name, row.network.name, row.network.parameters]
        for seed in row.scores:
            values = (by_metric[metric].get(seed) for metric in SINGLE_NUMBERS)
            lines.writerow([seed, *about, *("" if value is None else f"{value:.6f}" for value in values)])
        found.append(
            {
                "round": row.model.round,
                "model": row.model.name,
                "network": asdict(row.network),
                "scores": {
                    str(seed): {metric: values[seed] for metric, values in by_metric.items() if seed in values}
                    for seed in row.scores
                },
            }
        )
    write_bytes(out / ROUNDS_CSV, text.getvalue().encode())
    write_json(out / ROUNDS_JSON, {"models": found, **(more or {})})


def table_of(rows: Sequence[ModelScores], first: str = "teacher") -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table, in percent: mean and sample standard deviation over seeds, gain over the first.

    Args:
        rows: networks with their scores.
        first: what the first of them is called.
    """
    metrics = [metric for metric in SHOWN if any(row.values(metric) for row in rows)]
    by_metric = {metric: _summaries(rows, metric) for metric in metrics}
    heads = ["model", "runs"]
    for metric in metrics:
        heads += [SINGLE_NUMBERS[metric].title, f"to {first}"]
    lines = []
    for row in rows:
        if row.scores:
            cells = [row.model.title, str(len(row.scores))]
            for metric in metrics:
                summary = by_metric[metric].get(row.model.title)
                cells += ["", ""] if summary is None else [_spread(summary.mean, summary.deviation, ""), _gain(summary)]
            lines.append(cells)
    return heads, lines


def format_rounds(rows: Sequence[ModelScores], first: str = "teacher") -> str:
    """The table for a person, see :func:`table_of`; says so where nothing is scored yet."""
    heads, lines = table_of(rows, first)
    if not lines:
        return "no network is scored yet"
    return render_table("Rounds, in percent", heads, lines)


def _summaries(rows: Sequence[ModelScores], metric: str) -> dict[str, Summary]:
    scores = {row.model.title: row.values(metric) for row in rows}
    return {entry.policy: entry for entry in summarise(scores, rows[0].model.title)}


def _gain(summary: Summary) -> str:
    return "" if summary.difference is None else _spread(summary.difference, summary.error, "+")


def _spread(value: float, spread: float | None, sign: str) -> str:
    percent = round(100 * value, 2) + 0.0  # no minus before zero
    return f"{percent:{sign}.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")
