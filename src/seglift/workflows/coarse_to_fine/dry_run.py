"""What coarse-to-fine rounds would do, in words."""

from __future__ import annotations

from pathlib import Path

from seglift.base.counts import counted
from seglift.workflows.coarse_to_fine.data import COARSE, FINE, SYNTHETIC, CoarseData
from seglift.workflows.coarse_to_fine.output import rounds_output
from seglift.workflows.coarse_to_fine.plan import CoarsePlan, check_inputs, make_plan
from seglift.workflows.coarse_to_fine.recipe import read_rounds
from seglift.workflows.coarse_to_fine.rounds import count_stages, models_of
from seglift.workflows.coarse_to_fine.words import describe_drawn, describe_mixing, describe_network
from seglift.workflows.rounds.lengths import TrainingLength, describe_lengths, steps_of
from seglift.workflows.rounds.stages import count_done, describe_stages
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
    total, done = count_stages(plan.recipe, data), count_done(output.journal)
    lines = [
        *describe_plan(plan, data),
        *warnings,
        describe_stages(total, 0 if options.overwrite else done, plan.recipe.seeds, plan.filling.device),
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)


def describe_plan(plan: CoarsePlan, data: CoarseData) -> list[str]:
    """Data, network and trainings of rounds in lines.

    Args:
        plan: of the rounds.
        data: of the first seed.
    """
    recipe = plan.recipe
    what = {COARSE: "coarse labels", FINE: "fine labels", SYNTHETIC: "synthetic images"}
    labelling = recipe.labelling
    views = len(labelling.scales) * (2 if labelling.flip else 1)
    agree = "where the view is" if views == 1 else f"where all {views} views agree and are"
    filled = f"; labels are filled {counted(recipe.rounds - 1, 'time')}, {agree} sure above {labelling.confidence:g}"
    fine = [
        *(["every round trains on the fine labels, too"] if recipe.fine_from_start else []),
        *([f"at last {counted(recipe.fine_tune.steps, 'step')} on the fine labels alone"] if recipe.fine_tune else []),
    ]
    return [
        *(f"{what[drawn.opened.use]}: {describe_drawn(drawn)}" for drawn in data.every),
        f"network: {describe_network(plan)}",
        f"mixing and boundaries: {describe_mixing(recipe, data)}",
        f"{counted(recipe.rounds, 'round')}{filled if recipe.rounds > 1 else ''}",
        *fine,
        describe_lengths(_trainings(plan, data), len(recipe.seeds)),
    ]


def _trainings(plan: CoarsePlan, data: CoarseData) -> list[TrainingLength]:
    """Those of one seed."""
    recipe = plan.recipe
    fine = data.fine if recipe.fine_from_start else ()
    steps = steps_of(recipe.values, sum(len(drawn.items) for drawn in (*data.coarse, *fine, *data.synthetic)))
    tuned = () if recipe.fine_tune is None else (recipe.fine_tune.steps,)
    each = (*(steps for _ in range(recipe.rounds)), *tuned)
    return [TrainingLength(model, length) for model, length in zip(models_of(recipe), each, strict=True)]
