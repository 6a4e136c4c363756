"""Which classes gain and lose by the policies of a study: IoU by class over seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from seglift.workflows.score.over_seeds import Summary, summarise
from seglift.workflows.score.text import render_table
from seglift.workflows.study.runs import Scores

ByClass = Mapping[str, list[Summary]]
"""One summary for each policy, against the baseline, by class."""
FIELDS = ("policy", "runs", "mean", "deviation", "difference", "error", "verdict")


def summarise_classes(found: Mapping[str, Mapping[str, Scores]], baseline: str) -> dict[str, list[Summary]]:
    """IoU of each class by policy: that of the network that was trained last.

    Args:
        found: contents of ``scores.json`` by policy, network and seed.
        baseline: the policy with which the others are compared.

    Returns:
        Summaries by class, in the order in which scores name them; classes that no run has are left out.
    """
    last = {policy: list(networks.values())[-1] for policy, networks in found.items()}
    names = {name: None for scores in last.values() for entry in scores.values() for name in entry.get("iou") or {}}
    by_class = {
        name: summarise({policy: _values(scores, name) for policy, scores in last.items()}, baseline) for name in names
    }
    return {name: rows for name, rows in by_class.items() if rows}


def write_class_rows(by_class: ByClass) -> str:
    """The content of ``classes.csv``: fractions 0..1, empty where there is no number."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["class", *FIELDS])
    for name, summaries in by_class.items():
        rows.writerows([name, *(_cell(getattr(entry, field)) for field in FIELDS)] for entry in summaries)
    return text.getvalue()


def format_classes(by_class: ByClass) -> str:
    """For a person: the baseline's IoU by class, and where others differ from it by two standard errors or more."""
    own, others = [], []
    for name, summaries in by_class.items():
        for entry in summaries:
            mean = f"{100 * entry.mean:.1f}" + ("" if entry.deviation is None else f" ± {100 * entry.deviation:.1f}")
            if entry.verdict == "baseline":
                own.append([name, mean])
            elif entry.verdict in ("better", "worse") and entry.difference is not None and entry.error is not None:
                difference = f"{100 * entry.difference:+.1f} ± {100 * entry.error:.1f}"
                others.append([name, entry.policy, mean, difference, entry.verdict])
    tables = []
    if own:
        tables += ["IoU by class of the baseline", render_table("", ["class", "mean ± s.d."], own)]
    if others:
        title = "classes that differ from the baseline by two standard errors or more"
        header = ["class", "policy", "mean ± s.d.", "difference ± s.e.", "verdict"]
        tables += [title, render_table("", header, others)]
    else:
        tables.append("no class differs from the baseline by two standard errors")
    return "\n".join(tables)


def _values(scores: Scores, name: str) -> dict[int, float]:
    """IoU of a class by seed, where it was there."""
    found: dict[int, Any] = {seed: (entry.get("iou") or {}).get(name) for seed, entry in scores.items()}
    return {seed: float(value) for seed, value in found.items() if value is not None}


def _cell(value: object) -> object:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else value
