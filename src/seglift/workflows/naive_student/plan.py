"""What ``seglift selftrain`` will do, checked before it does anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.inference.panoptic.model import require_panoptic
from seglift.inference.semantic_model import HUB_PREFIX, load_model
from seglift.workflows.input_identity import MODEL_WORDS, model_identity
from seglift.workflows.naive_student.data import SelftrainData, Sources, open_sources
from seglift.workflows.naive_student.pseudo_labels import Labelling
from seglift.workflows.naive_student.recipe import SelftrainRecipe
from seglift.workflows.naive_student.void_regions import VoidRegions
from seglift.workflows.predict.instance_ids import check_instance_ids
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.rounds.kinds import PANOPTIC, count_weights, kind_of
from seglift.workflows.rounds.networks import Network
from seglift.workflows.rounds.trainings import (
    Values,
    count_network,
    drawn_around,
    network_name,
    parsed_training,
    shaping,
    source_values,
    training,
)
from seglift.workflows.train.folder import without_roots
from seglift.workflows.train.kinds import describe_recipe
from seglift.workflows.train.setup import TrainOptions

IDENTITY = (
    *("labelled", "unlabelled", "val", "test", "share", "labelled_frames", "centroid_classes", "mix", "fine_tune"),
    *("start_from_previous", "start_from_teacher", "labelling", "segments", "void_classes"),
)
"""Names of a recipe that shape results; seeds and rounds may be added later."""


@dataclass(frozen=True)
class SelftrainPlan:
    """Checked inputs.

    Attributes:
        recipe: of the rounds.
        where: its file, for messages.
        sources: opened data.
        labelling: how frames are labelled.
        kind: what students are, one of ``kinds.KINDS``.
        options: of the command line.
        teacher: the first teacher.
        students: of each round.
    """

    recipe: SelftrainRecipe
    where: str
    sources: Sources
    labelling: Labelling
    kind: str
    options: TrainOptions
    teacher: Network
    students: tuple[Network, ...]

    @property
    def held_out(self) -> dict[str, Values]:
        """``val`` and ``test`` of the trainings, as far as there are."""
        given = {"val": self.recipe.val, "test": self.recipe.test}
        found = {use: source for use, source in given.items() if source is not None}
        return {use: source_values(source, self.sources.roots[source.called]) for use, source in found.items()}

    def identity(self) -> dict[str, Any]:
        """What a call must share with an earlier one to continue it, JSON-serialisable.

        Raises:
            UserError: weights that cannot be read.
        """
        recipe = self.recipe
        teacher = recipe.teacher
        values = without_roots(plain_values(recipe))
        identity = {
            "teacher": model_identity(teacher) if isinstance(teacher, str) else shaping(teacher, "teacher"),
            "student": [shaping(student, "student") for student in recipe.given_students],
            **{name: values[name] for name in IDENTITY},
        }
        found: dict[str, Any] = json.loads(json.dumps(identity))
        return found

    def warnings(self) -> tuple[str, ...]:
        """What is not as the paper asks, one line each."""
        found, above = [], self.teacher
        for number, student in enumerate(self.students, 1):
            if (student.parameters or 0) < (above.parameters or 0):
                found.append(
                    f"warning: the student of round {number} ({_size(student)}) is smaller than its teacher"
                    f" ({_size(above)}); Naive-Student asks for an equal or larger one"
                )
            above = student
        return tuple(found)


def make_plan(recipe: SelftrainRecipe, where: str, options: TrainOptions) -> tuple[SelftrainPlan, SelftrainData]:
    """Opens the data and checks the networks; reads no label, writes nothing.

    Args:
        recipe: of the rounds.
        where: its file, for messages.
        options: roots, device and corrupt images.

    Returns:
        The plan, and the data of the first seed.

    Raises:
        UserError: something is wrong with the recipe, its data or its weights.
    """
    device = resolve_device(options.device)
    kind = _one_kind(recipe, where)
    students = [parsed_training(values, f"{where}: student") for values in recipe.students]
    sources = open_sources(recipe, options.roots)
    space = sources.space
    if kind == PANOPTIC:
        check_instance_ids(space)
    void = VoidRegions(recipe.void_classes, space)
    labelling = Labelling(recipe.labelling, recipe.segments, void, kind == PANOPTIC, device, options.skip_corrupt)
    networks = tuple(Network(network_name(one), count_network(one, space.num_train)) for one in students)
    _check_starts(recipe, where)
    if isinstance(recipe.teacher, str):
        teacher = Network(recipe.teacher, _check_weights(recipe.teacher, labelling))
    else:
        parsed = parsed_training(recipe.teacher, f"{where}: teacher")
        teacher = Network(network_name(parsed), count_network(parsed, space.num_train))
    return SelftrainPlan(recipe, where, sources, labelling, kind, options, teacher, networks), sources.draw(
        recipe.seeds[0]
    )


def check_trainings(plan: SelftrainPlan, out: Path) -> None:
    """Everything that ``seglift train`` checks beforehand, of teacher and students, on the human labels.

    Args:
        plan: of the rounds.
        out: their folder; nothing is written there.

    Raises:
        UserError: crops, loss, weights to start from or labels do not fit.
    """
    recipe, roots = plan.recipe, plan.sources.roots
    human = [source_values(source, roots[source.called]) for source in recipe.labelled]
    human = drawn_around(human, recipe.centroid_classes)
    given = {"teacher": recipe.teacher, "student": recipe.given_students[0]}
    given |= {f"student of round {n}": one for n, one in enumerate(recipe.students, 1) if one != given["student"]}
    own = plan.options
    options = TrainOptions(device=own.device, skip_corrupt=own.skip_corrupt, quiet=own.quiet)
    for name, values in given.items():
        if isinstance(values, dict):
            whole = training(values, human, plan.held_out, recipe.seeds[0])
            describe_recipe(whole, f"{plan.where}: {name}", out / ".not-written", options)


def tell_warnings(plan: SelftrainPlan) -> None:
    """Says what is not as the paper asks."""
    for warning in plan.warnings():
        say(warning)


def _one_kind(recipe: SelftrainRecipe, where: str) -> str:
    kinds = {kind_of(values, f"{where}: student") for values in recipe.given_students}
    if len(kinds) > 1:
        raise UserError(f"{where}: students are of kinds {' and '.join(sorted(kinds))}, expected one; make them equal")
    kind = kinds.pop()
    if isinstance(recipe.teacher, dict) and kind_of(recipe.teacher, f"{where}: teacher") != kind:
        raise UserError(
            f"{where}: the teacher is of kind {recipe.teacher.get('kind', 'segmentation')}, the students of {kind};"
            " expected one kind: change one of them"
        )
    return kind


def _check_starts(recipe: SelftrainRecipe, where: str) -> None:
    """Refuses weights to start from that are another network's."""
    for name, begins in (("start_from_previous", recipe.students), ("start_from_teacher", _taught(recipe))):
        networks = {json.dumps(plain_values(parsed_training(values, where).network)) for values in begins}
        if getattr(recipe, name) and len(networks) > 1:
            who = "the students" if name == "start_from_previous" else "teacher and students"
            raise UserError(f"{where}: {name} is true, but {who} are different networks; make them one, or drop it")
    if recipe.start_from_teacher and not isinstance(recipe.teacher, dict):
        raise UserError(
            f"{where}: start_from_teacher is true, but the teacher is weights ({recipe.teacher}), expected a recipe of"
            " seglift train; name the weights as `start` in the student's recipe"
        )


def _taught(recipe: SelftrainRecipe) -> tuple[Values, ...]:
    """Recipes of the first teacher, where it has one, and of all students."""
    return (*((recipe.teacher,) if isinstance(recipe.teacher, dict) else ()), *recipe.students)


def _check_weights(spec: str, labelling: Labelling) -> int | None:
    """Refuses weights that cannot label; gives the number of their parameters."""
    if spec in MODEL_WORDS:
        raise UserError(f"teacher is {spec!r}, expected a .yaml recipe of seglift train, or trained weights; give one")
    if not spec.startswith(HUB_PREFIX) and not Path(spec).exists():
        raise UserError(f"teacher {spec} is neither a recipe (.yaml) nor a file or folder of weights; correct it")
    model = load_model(spec, labelling.space)
    if labelling.instances:
        require_panoptic(model, f"teacher {spec}")
    return count_weights(spec)


def _size(network: Network) -> str:
    return f"{network.name}, {(network.parameters or 0) / 1e6:.2f} M parameters"
