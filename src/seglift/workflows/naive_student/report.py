"""The report of the rounds: what the page shows, from the files that the stages left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from seglift.base.counts import counted
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.labels.reading import read_label
from seglift.labels.space import Array8
from seglift.report.rounds_page import RoundsSummary, Snapshot, write_rounds_page
from seglift.workflows.naive_student.data import SelftrainData
from seglift.workflows.naive_student.frames import Frame
from seglift.workflows.naive_student.plan import SelftrainPlan
from seglift.workflows.naive_student.pseudo_labels import Teacher
from seglift.workflows.naive_student.recipe import COMMAND
from seglift.workflows.naive_student.rounds import PSEUDO, models_of
from seglift.workflows.outputs.manifest import MANIFEST_NAME
from seglift.workflows.rounds.dataset_output import LABELS, SPLIT
from seglift.workflows.rounds.networks import round_folder
from seglift.workflows.rounds.results import SHOWN, ModelScores, table_of
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS

REPORT = "report.html"
ABOUT_SCORES = (
    "In percent; round 0 is the first teacher, trained with human labels alone. Students learn from pseudo-labels of"
    " the teacher before them; fine-tuned ones went on with human labels and are the next teacher."
)
ABOUT_LABELS = "The same frames as every teacher labels them."


def write_report(plan: SelftrainPlan, data: SelftrainData, rows: Sequence[ModelScores], out: Path) -> None:
    """Writes ``report.html``; the labels shown are of the first seed.

    Args:
        plan: of the rounds.
        data: of the first seed.
        rows: the scores so far.
        out: OUT of the rounds.

    Raises:
        UserError: a frame or label cannot be read, or the page cannot be written.
    """
    recipe, space = plan.recipe, data.space
    scored = [row for row in rows if row.scores]
    human = sum(len(labels.items) for labels in data.human)
    classes = {name: [_mean(row, name) for row in scored] for name in space.train_names}
    summary = RoundsSummary(
        COMMAND,
        f"Rounds of {plan.where.rpartition('/')[2]}",
        (
            f"{counted(human, 'human label')}",
            f"{counted(len(data.frames), 'frame')} with pseudo-labels",
            f"{counted(recipe.rounds, 'round')}, {counted(len(recipe.seeds), 'seed')}",
            f"space {space.name}, {counted(space.num_train, 'class', 'classes')}",
        ),
        space,
        [row.model.title for row in scored],
        table_of(rows),
        {SINGLE_NUMBERS[name].title: [_mean_score(row, name) for row in scored] for name in SHOWN},
        classes,
        _settings(plan),
        ABOUT_SCORES,
        ABOUT_LABELS,
    )
    write_rounds_page(out / REPORT, summary, _snapshots(plan, data, out))


def _settings(plan: SelftrainPlan) -> dict[str, str]:
    recipe = plan.recipe
    tune = recipe.fine_tune
    return {
        "teacher": plan.teacher.name,
        "students": ", ".join(student.name for student in plan.students),
        "students learn from": "pseudo-labels"
        if recipe.mix is None
        else f"{recipe.mix:.0%} human labels, the rest pseudo",
        "fine-tuning": "none"
        if tune is None
        else f"{counted(tune.steps, 'step')} at {tune.learning_rate_factor:g} x the rate",
        "scales": ", ".join(f"{scale:g}" for scale in recipe.labelling.scales),
        "mirrored": "yes" if recipe.labelling.flip else "no",
        "void in whole clips": ", ".join(plan.labelling.void.classes) or "nothing",
    }


def _snapshots(plan: SelftrainPlan, data: SelftrainData, out: Path) -> Iterator[Snapshot]:
    """Frames that have labels of every round so far, evenly spread, with those of the last network beside."""
    recipe, seed = plan.recipe, plan.recipe.seeds[0]
    folders = [round_folder(out, seed, number) / PSEUDO for number in range(1, recipe.rounds + 1)]
    made = {number: folder for number, folder in enumerate(folders, 1) if (folder / MANIFEST_NAME).is_file()}
    paths = {
        frame.name: {n: folder / LABELS / SPLIT / f"{frame.name}.png" for n, folder in made.items()}
        for frame in data.frames
    }
    whole = [frame for frame in data.frames if made and all(path.is_file() for path in paths[frame.name].values())]
    chosen = np.linspace(0, len(whole) - 1, min(recipe.snapshots, len(whole))).round().astype(int)
    last = _last_network(plan, out)
    for frame in (whole[index] for index in sorted(set(chosen.tolist()))):
        image = frame.source.read()
        labels = [(f"teacher of round {n}", read_label(path, data.space)) for n, path in paths[frame.name].items()]
        if last is not None:
            labels.append((f"after round {recipe.rounds}", _label(last, image, frame, plan)))
        yield Snapshot(frame.name, image, labels)


def _last_network(plan: SelftrainPlan, out: Path) -> Teacher | None:
    """What would be the next teacher; None where the rounds are not over."""
    folder = models_of(plan.recipe)[-1].folder(out, plan.recipe.seeds[0])
    return Teacher(folder, plan.labelling) if (folder / WEIGHTS_NAME).is_file() else None


def _label(teacher: Teacher, image: Array8, frame: Frame, plan: SelftrainPlan) -> Array8:
    with torch.inference_mode():
        return plan.labelling.space.encode(teacher.label(image, frame).labels, frame.name)


def _mean_score(row: ModelScores, metric: str) -> float | None:
    values = row.values(metric).values()
    return fmean(values) if values else None


def _mean(row: ModelScores, name: str) -> float | None:
    """Mean IoU of a class over the seeds that have it."""
    values = [scores["iou"][name] for scores in row.scores.values() if scores["iou"].get(name) is not None]
    return fmean(values) if values else None
