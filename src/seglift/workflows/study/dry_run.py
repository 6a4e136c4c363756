"""What a study would do, in words."""

from __future__ import annotations

from pathlib import Path

from seglift.base.counts import counted
from seglift.workflows.study.costs import policy_hours
from seglift.workflows.study.record import open_study
from seglift.workflows.study.runs import describe_policies, pending
from seglift.workflows.train.setup import TrainOptions


def describe_study(recipe_path: Path, out: Path, options: TrainOptions) -> str:
    """What ``run_study`` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as ``run_study`` before its first run.
    """
    study, policies, runs = open_study(recipe_path, out, options)
    left = pending(runs)
    described, hours = describe_policies(left, options), policy_hours(study)
    seeds = f"{'seeds' if len(study.seeds) > 1 else 'seed'} {', '.join(map(str, study.seeds))}"
    what = f"{counted(len(policies), 'policy', 'policies')} with {seeds}"
    lines = [f"{what}: {counted(len(runs), 'run')}, {len(runs) - len(left)} of them done"]
    for name in policies:
        own = [run for run in runs if run.policy.name == name]
        done = f"{sum(run.is_done() for run in own)} of {counted(len(own), 'run')} done"
        annotated = (
            [f"{hours[name]:.4g} {'hour' if hours[name] == 1 else 'hours'} of annotation"] if name in hours else []
        )
        lines += [f"{name}: {', '.join([done, *annotated])}", *(f"  {line}" for line in described.get(name, ()))]
    return "\n".join([*lines, f"writes to {out}; nothing was written now"])
