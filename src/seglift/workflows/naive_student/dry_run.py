"""What rounds would do, in words."""

from __future__ import annotations

from pathlib import Path

from seglift.workflows.naive_student.output import rounds_output
from seglift.workflows.naive_student.plan import SelftrainPlan, check_trainings, make_plan
from seglift.workflows.naive_student.recipe import read_selftrain
from seglift.workflows.naive_student.rounds import count_stages
from seglift.workflows.rounds.stages import count_done
from seglift.workflows.train.setup import TrainOptions


def describe_selftrain(path: Path, out: Path, options: TrainOptions) -> str:
    """What ``run_selftrain`` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as ``run_selftrain`` before it begins.
    """
    plan, data = make_plan(read_selftrain(path, options.overrides), str(path), options)
    output = rounds_output(plan, out)
    output.check(options.overwrite)
    check_trainings(plan, out)
    recipe, total = plan.recipe, count_stages(plan.recipe)
    done = count_done(output.journal)
    void = plan.labelling.void
    taking = sum(frame.annotated is not None and void.apply_to(frame.annotated.space) for frame in data.frames)
    lines = [
        *(
            f"human labels: {len(labels.items)} of {labels.labelled} of {labels.source.called} {labels.dataset.split}"
            f" at {labels.dataset.root}"
            for labels in data.human
        ),
        f"pseudo-labels: {len(data.frames)} frames, each seen {_views(plan)} times by a teacher"
        + (f"; {taking} take void regions from the annotated frame of their clip" if taking else ""),
        f"teacher: {_described(plan.teacher.name, plan.teacher.parameters)}",
        *(
            f"round {number}: student {_described(student.name, student.parameters)}"
            for number, student in enumerate(plan.students, 1)
        ),
        *plan.warnings(),
        f"{total} stages with {'seeds' if len(recipe.seeds) > 1 else 'seed'} {', '.join(map(str, recipe.seeds))}"
        f" on {plan.labelling.device}"
        + (f", {min(done, total)} of them done" if done and not options.overwrite else ""),
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)


def _views(plan: SelftrainPlan) -> int:
    settings = plan.labelling.settings
    return len(settings.scales) * (2 if settings.flip else 1)


def _described(name: str, parameters: int | None) -> str:
    return name if parameters is None else f"{name}, {parameters / 1e6:.2f} M parameters"
