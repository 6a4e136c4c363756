"""What coarse-to-fine rounds would do, in words."""

from __future__ import annotations

from pathlib import Path

from seglift.workflows.coarse_to_fine.data import COARSE, FINE, SYNTHETIC
from seglift.workflows.coarse_to_fine.output import rounds_output
from seglift.workflows.coarse_to_fine.plan import check_inputs, make_plan
from seglift.workflows.coarse_to_fine.recipe import read_rounds
from seglift.workflows.coarse_to_fine.rounds import count_stages
from seglift.workflows.coarse_to_fine.words import describe_drawn, describe_mixing
from seglift.workflows.rounds.stages import count_done
from seglift.workflows.train.setup import TrainOptions


def describe_rounds(path: Path, out: Path, options: TrainOptions) -> str:
    """What ``run_coarse_to_fine`` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as ``run_coarse_to_fine`` before it begins.
    """
    plan, data = make_plan(read_rounds(path, options.overrides), str(path), options)
    output = rounds_output(plan, out)
    output.check(options.overwrite)
    warnings = check_inputs(plan, data, out)
    recipe, total = plan.recipe, count_stages(plan.recipe, data)
    done = count_done(output.journal)
    what = {COARSE: "coarse labels", FINE: "fine labels", SYNTHETIC: "synthetic images"}
    labelling = recipe.labelling
    views = len(labelling.scales) * (2 if labelling.flip else 1)
    fine = [
        *(["every round trains on the fine labels, too"] if recipe.fine_from_start else []),
        *([f"at last {recipe.fine_tune.steps} steps on the fine labels alone"] if recipe.fine_tune else []),
    ]
    seeds = f"{'seeds' if len(recipe.seeds) > 1 else 'seed'} {', '.join(map(str, recipe.seeds))}"
    left = f", {min(done, total)} of them done" if done and not options.overwrite else ""
    lines = [
        *(f"{what[drawn.opened.use]}: {describe_drawn(drawn)}" for drawn in data.every),
        f"network: {plan.network.name}, {(plan.network.parameters or 0) / 1e6:.2f} M parameters",
        f"mixing and boundaries: {describe_mixing(recipe, data)}",
        f"{recipe.rounds} rounds; labels are filled {recipe.rounds - 1} times, where all {views} views agree and are"
        f" sure above {labelling.confidence:g}",
        *fine,
        *warnings,
        f"{total} stages with {seeds} on {plan.filling.device}{left}",
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)
