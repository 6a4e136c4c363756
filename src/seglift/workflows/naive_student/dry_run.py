"""What rounds of teacher and student would do, in words."""

from __future__ import annotations

from pathlib import Path

from seglift.base.counts import counted
from seglift.workflows.naive_student.data import SelftrainData
from seglift.workflows.naive_student.output import rounds_output
from seglift.workflows.naive_student.plan import SelftrainPlan, check_trainings, make_plan
from seglift.workflows.naive_student.recipe import read_selftrain
from seglift.workflows.naive_student.rounds import STUDENT, TEACHER, TUNED, count_stages
from seglift.workflows.rounds.lengths import TrainingLength, describe_lengths, steps_of
from seglift.workflows.rounds.networks import Model
from seglift.workflows.rounds.stages import count_done, describe_stages
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
    total, done = count_stages(plan.recipe), count_done(output.journal)
    lines = [
        *describe_plan(plan, data),
        describe_stages(total, 0 if options.overwrite else done, plan.recipe.seeds, plan.labelling.device),
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)


def describe_plan(plan: SelftrainPlan, data: SelftrainData) -> list[str]:
    """Data, networks and trainings of rounds in lines.

    Args:
        plan: of the rounds.
        data: of the first seed.
    """
    void = plan.labelling.void
    taking = sum(frame.annotated is not None and void.apply_to(frame.annotated.space) for frame in data.frames)
    return [
        *(
            f"human labels: {len(labels.items)} of {labels.labelled} of {labels.source.called} {labels.dataset.split}"
            f" at {labels.dataset.root}"
            for labels in data.human
        ),
        f"pseudo-labels: {counted(len(data.frames), 'frame')}, each seen {counted(_views(plan), 'time')} by a teacher"
        + (f"; {taking} with void regions of the annotated frame of their clip" if taking else ""),
        f"teacher: {_described(plan.teacher.name, plan.teacher.parameters)}",
        *(
            f"round {number}: student {_described(student.name, student.parameters)}"
            for number, student in enumerate(plan.students, 1)
        ),
        *plan.warnings(),
        describe_lengths(_trainings(plan, data), len(plan.recipe.seeds)),
    ]


def _trainings(plan: SelftrainPlan, data: SelftrainData) -> list[TrainingLength]:
    """Those of one seed."""
    recipe, human = plan.recipe, sum(len(labels.items) for labels in data.human)
    images = len(data.frames) + (human if recipe.mix is not None else 0)
    found = []
    if isinstance(recipe.teacher, dict):
        found.append(TrainingLength(Model(0, TEACHER), steps_of(recipe.teacher, human)))
    for number, student in enumerate(recipe.students, 1):
        found.append(TrainingLength(Model(number, STUDENT), steps_of(student, images)))
        if recipe.fine_tune is not None:
            found.append(TrainingLength(Model(number, TUNED), recipe.fine_tune.steps))
    return found


def _views(plan: SelftrainPlan) -> int:
    settings = plan.labelling.settings
    return len(settings.scales) * (2 if settings.flip else 1)


def _described(name: str, parameters: int | None) -> str:
    return name if parameters is None else f"{name}, {parameters / 1e6:.2f} M parameters"
