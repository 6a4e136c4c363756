"""Naive-Student's Alg. 1 as stages: teacher, pseudo-labels, student, fine-tuning, next teacher.

Chen et al., "Naive-Student: Leveraging Semi-Supervised Learning in Video Sequences for Urban Scene Segmentation"
(ECCV 2020), Alg. 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, write_json
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.workflows.input_identity import fingerprint_model
from seglift.workflows.naive_student.data import HumanLabels, SelftrainData
from seglift.workflows.naive_student.human_labels import write_human_labels
from seglift.workflows.naive_student.plan import SelftrainPlan
from seglift.workflows.naive_student.pseudo_labels import FramesToLabel, find_keys, make_pseudo_labels
from seglift.workflows.naive_student.recipe import SelftrainRecipe
from seglift.workflows.naive_student.trainings import human_source, mixed, pseudo_source
from seglift.workflows.outputs.manifest import MANIFEST_NAME
from seglift.workflows.rounds.kinds import KINDS
from seglift.workflows.rounds.networks import Model, round_folder, seed_folder
from seglift.workflows.rounds.stages import Stage
from seglift.workflows.rounds.trainings import GIVEN, Values, drawn_around, fine_tuning, shaping, training
from seglift.workflows.train.folder import INDEX, SCORES, without_roots
from seglift.workflows.train.kinds import run_recipe
from seglift.workflows.train.record import clear
from seglift.workflows.train.setup import TrainOptions

TEACHER, STUDENT, TUNED, PSEUDO, HUMAN = "teacher", "student", "fine_tuned", "pseudo", "human"


def models_of(recipe: SelftrainRecipe) -> list[Model]:
    """Every network that is scored, in the order of the rounds."""
    names = (STUDENT,) if recipe.fine_tune is None else (STUDENT, TUNED)
    return [Model(0, TEACHER), *(Model(number, name) for number in range(1, recipe.rounds + 1) for name in names)]


def count_stages(recipe: SelftrainRecipe) -> int:
    """Stages of all seeds together."""
    subsets = sum(source.share < 1 for source in recipe.labelled)
    return len(recipe.seeds) * (subsets + 1 + recipe.rounds * (2 + (recipe.fine_tune is not None)))


def stages_of_seed(plan: SelftrainPlan, data: SelftrainData, seed: int, out: Path) -> Iterator[Stage]:
    """The stages of one seed; each must be done before the next is asked for.

    Args:
        plan: of the rounds.
        data: drawn with the seed.
        seed: of all random choices.
        out: OUT of the rounds.

    Raises:
        UserError: files or weights that cannot be read.
    """
    yield from _Seed(plan, data, seed, out).stages()


class _Seed:
    """The rounds of one seed."""

    def __init__(self, plan: SelftrainPlan, data: SelftrainData, seed: int, out: Path) -> None:
        self.plan, self.data, self.seed, self.out = plan, data, seed, out
        self.recipe = plan.recipe
        human = [human_source(labels, self._subset(labels)) for labels in data.human]
        self.human = drawn_around(human, self.recipe.centroid_classes)
        self.options = TrainOptions(
            device=plan.options.device, skip_corrupt=plan.options.skip_corrupt, cache=plan.options.cache or out / INDEX
        )

    def stages(self) -> Iterator[Stage]:
        """What is to be done, in order; each stage is asked for when those before it are done."""
        recipe, frames = self.recipe, find_keys(self.data.frames, self.options.skip_corrupt)
        for labels in self.data.human:
            if labels.source.share < 1:
                yield self._choose(labels)
        stage, weights = self._teach()
        yield stage
        previous = Model(0, TEACHER).folder(self.out, self.seed) if recipe.start_from_teacher else None
        for number in range(1, recipe.rounds + 1):
            yield (pseudo := self._label(number, weights, frames))
            student = self._student_values(number, previous)
            yield self._train(Model(number, STUDENT), student, previous, pseudo.key)
            previous = Model(number, STUDENT).folder(self.out, self.seed)
            if recipe.fine_tune is not None:
                tuned = fine_tuning(student, recipe.fine_tune, (previous / WEIGHTS_NAME).resolve()) | {
                    "train": self.human
                }
                yield self._train(Model(number, TUNED), tuned, previous)
                previous = Model(number, TUNED).folder(self.out, self.seed)
            weights = previous

    def _subset(self, labels: HumanLabels) -> Path:
        return seed_folder(self.out, self.seed) / HUMAN / labels.source.called

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self.out).as_posix()

    def _choose(self, labels: HumanLabels) -> Stage:
        folder = self._subset(labels)
        title = f"{len(labels.items)} of {labels.labelled} human labels of {labels.source.called}, seed {self.seed}"
        instances = self.plan.labelling.instances
        work = partial(write_human_labels, folder, labels, instances, self.options.skip_corrupt)
        key = fingerprint_values(labels.fingerprint(), instances)
        return Stage(self._name(folder), title, key, (folder / MANIFEST_NAME,), work, _nothing)

    def _teach(self) -> tuple[Stage, str | Path]:
        """The stage of the first teacher, and its weights."""
        given, model = self.recipe.teacher, Model(0, TEACHER)
        if isinstance(given, dict):
            values = training(given, self.human, self.plan.held_out, self.seed)
            return self._train(model, values, None), model.folder(self.out, self.seed)
        folder = model.folder(self.out, self.seed)
        title = f"scores of the teacher {given}, seed {self.seed}"
        how = shaping(self.recipe.given_students[0], title)
        looks = [how["kind"], how["evaluation"], how.get("segments")]
        key = fingerprint_values(fingerprint_model(given), without_roots(self.plan.held_out), looks)
        work = partial(self._score, given, folder)
        return Stage(self._name(folder), title, key, (folder / SCORES,), work, _nothing), given

    def _score(self, weights: str, folder: Path) -> None:
        values = training(self.recipe.given_students[0], self.human, self.plan.held_out, self.seed, start=None)
        values["new_head"] = False
        scores = KINDS[self.plan.kind].score(values, self.plan.where, self.options, Path(weights))
        if scores is None:
            raise ValueError("there is nothing to score on")
        write_json(folder / SCORES, scores.as_json())

    def _label(self, number: int, weights: str | Path, frames: FramesToLabel) -> Stage:
        folder, labelling = round_folder(self.out, self.seed, number) / PSEUDO, self.plan.labelling
        identity = {
            "teacher": fingerprint_model(str(weights)),
            "labelling": fingerprint_values(asdict(labelling.settings), asdict(labelling.segments)),
            "void_classes": list(labelling.void.classes),
            "instances": labelling.instances,
            "device": labelling.device,
        }
        title = f"pseudo-labels of {counted(len(frames.frames), 'frame')}, round {number}, seed {self.seed}"
        work = partial(make_pseudo_labels, folder, identity, weights, frames, labelling)
        key = fingerprint_values(identity, frames.keys)
        return Stage(self._name(folder), title, key, (folder / MANIFEST_NAME,), work, _nothing)

    def _student_values(self, number: int, previous: Path | None) -> Values:
        """The recipe of a student, as a training's."""
        source = pseudo_source(round_folder(self.out, self.seed, number) / PSEUDO)
        (pseudo,) = drawn_around([source], self.recipe.centroid_classes)
        train = mixed(self.human, pseudo, self.recipe.mix)
        values = training(self.recipe.students[number - 1], train, self.plan.held_out, self.seed)
        if previous is not None and (self.recipe.start_from_previous or self.recipe.start_from_teacher):
            values |= {"start": str((previous / WEIGHTS_NAME).resolve()), "new_head": False}
        return values

    def _train(self, model: Model, values: Values, start: Path | None, *inputs: str) -> Stage:
        """A training; ``values`` may start from ``start``, weights of the rounds; ``inputs`` are keys of its data."""
        folder = model.folder(self.out, self.seed)
        title = f"{model.name.replace('_', '-')} of round {model.round}, seed {self.seed}"
        begins = values.get("start")
        if start is not None and begins == str((start / WEIGHTS_NAME).resolve()):
            begins = fingerprint_model(str(start))
        own = shaping(values, title) | {"start": None}
        data = [without_roots(values.get(name)) for name in GIVEN]
        uses_human = any(source in values["train"] for source in self.human) or self.recipe.mix is not None
        key = fingerprint_values(own, data, self.seed, begins, self.data.human_key if uses_human else None, inputs)
        return Stage(
            self._name(folder),
            title,
            key,
            (folder / WEIGHTS_NAME, folder / SCORES),
            partial(self._run, values, folder),
            partial(clear, folder),
        )

    def _run(self, values: Values, folder: Path) -> None:
        where = f"{self.plan.where} ({self._name(folder)})"
        if run_recipe(values, where, folder, self.options) is None:
            raise UserError("rounds run in one process")


def _nothing() -> None:
    """There is nothing to clear: the work itself tells other inputs."""
