"""Means, spreads and paired differences of a study's runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean, stdev

Values = Mapping[int, float]
"""A score by seed."""

STANDARD_ERRORS = 2.0
"""A difference below so many standard errors is called no difference."""


@dataclass(frozen=True)
class Summary:
    """What the runs of one policy say.

    Attributes:
        policy: its name.
        runs: number of seeds.
        mean: mean score.
        deviation: sample standard deviation (n - 1), None for one run.
        difference: mean over common seeds of the score minus the baseline's with that seed; None for the baseline and
            where no seed is common.
        error: standard error of the difference (sample deviation of the paired differences over sqrt n), None with
            fewer than two pairs.
        verdict: ``baseline``, ``better``, ``worse``, ``no difference`` or ``too few seeds``.
        share: of what the oracle gains over the baseline on the same seeds, how much this policy gains (1 = all of it);
            None without an oracle, where it gains nothing, and of the two themselves.
    """

    policy: str
    runs: int
    mean: float
    deviation: float | None
    difference: float | None
    error: float | None
    verdict: str
    share: float | None = None


def summarise(scores: Mapping[str, Values], baseline: str, oracle: str | None = None) -> list[Summary]:
    """One summary for each policy that has a run, in the order of ``scores``.

    Pairs share their seed, so what the seed does to both (initial weights, order of the data) cancels in the
    difference.

    Args:
        scores: score by seed, by policy; larger is better.
        baseline: the policy with which the others are compared.
        oracle: the policy whose gain is all that there is to gain, None where there is none.

    Example:
        >>> rows = summarise({"plain": {0: 0.50, 1: 0.52}, "relaxed": {0: 0.53, 1: 0.56}}, "plain")
        >>> [(row.policy, round(row.mean, 3), row.verdict) for row in rows]
        [('plain', 0.51, 'baseline'), ('relaxed', 0.545, 'better')]
        >>> round(rows[1].difference, 3), round(rows[1].error, 3)
        (0.035, 0.005)
    """
    reference = scores.get(baseline, {})
    summaries = [_summarise(name, values, reference, baseline) for name, values in scores.items() if values]
    best = scores.get(oracle, {}) if oracle is not None else {}
    return [
        entry
        if entry.policy in (baseline, oracle)
        else replace(entry, share=_share(scores[entry.policy], reference, best))
        for entry in summaries
    ]


def _share(values: Values, reference: Values, best: Values) -> float | None:
    seeds = values.keys() & reference.keys() & best.keys()
    everything = sum(best[seed] - reference[seed] for seed in seeds)
    if everything <= 0:
        return None
    return sum(values[seed] - reference[seed] for seed in seeds) / everything


def _summarise(policy: str, values: Values, reference: Values, baseline: str) -> Summary:
    mean, deviation = fmean(values.values()), stdev(values.values()) if len(values) > 1 else None
    if policy == baseline:
        return Summary(policy, len(values), mean, deviation, None, None, "baseline")
    pairs = [values[seed] - reference[seed] for seed in sorted(values.keys() & reference.keys())]
    if not pairs:
        return Summary(policy, len(values), mean, deviation, None, None, "too few seeds")
    difference = fmean(pairs)
    if len(pairs) < 2:
        return Summary(policy, len(values), mean, deviation, difference, None, "too few seeds")
    error = stdev(pairs) / math.sqrt(len(pairs))
    if abs(difference) < STANDARD_ERRORS * error or difference == 0:
        verdict = "no difference"
    else:
        verdict = "better" if difference > 0 else "worse"
    return Summary(policy, len(values), mean, deviation, difference, error, verdict)
