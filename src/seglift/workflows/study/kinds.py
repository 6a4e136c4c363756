"""What a study can run: trainings that have scores, rounds of Naive-Student, coarse-to-fine rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seglift.base.errors import UserError
from seglift.workflows.coarse_to_fine import dry_run as coarse_dry_run
from seglift.workflows.coarse_to_fine import plan as coarse_plan
from seglift.workflows.coarse_to_fine import recipe as coarse_recipe
from seglift.workflows.coarse_to_fine import report as coarse_report
from seglift.workflows.coarse_to_fine import rounds as coarse_rounds
from seglift.workflows.coarse_to_fine import run as coarse_run
from seglift.workflows.naive_student.dry_run import describe_plan
from seglift.workflows.naive_student.plan import check_trainings, make_plan
from seglift.workflows.naive_student.recipe import COMMAND, inlined, parse_selftrain
from seglift.workflows.naive_student.report import REPORT
from seglift.workflows.naive_student.rounds import models_of
from seglift.workflows.naive_student.run import run_rounds
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe
from seglift.workflows.rounds.kinds import KINDS as NETWORK_KINDS
from seglift.workflows.rounds.shared_stages import SharedStages
from seglift.workflows.train.folder import SCORES
from seglift.workflows.train.kinds import describe_recipe, run_recipe
from seglift.workflows.train.recipe import CoarseToFineTrainRecipe, ImageTrainRecipe
from seglift.workflows.train.setup import TrainOptions

Values = Mapping[str, Any]
RESULT = ""
"""What the only network of a training is called."""
TRAINING, ROUNDS, COARSE = "segmentation", "naive_student", coarse_recipe.KIND
"""Kinds of recipes that do not say it: of one training, with unlabelled data, with coarse labels."""
TRAININGS: dict[str, type[ImageTrainRecipe]] = {
    **{name: kind.recipe for name, kind in NETWORK_KINDS.items()},
    "coarse_to_fine": CoarseToFineTrainRecipe,
}
"""Recipes of single trainings that are compared, by kind."""


class Called(Protocol):
    """A source of data."""

    @property
    def called(self) -> str:
        """Its name for ``--root``."""


class HasSources(Protocol):
    """A parsed recipe."""

    @property
    def sources(self) -> Sequence[Called]:
        """All that data come from."""


@dataclass(frozen=True)
class StudyKind:
    """What a study needs to know of a kind of recipe.

    Attributes:
        parse: plain values to a recipe that can be scored; the second argument names it in messages.
        with_seed: plain values with a seed.
        describe: what a run in a folder would do, in lines, after all that can be checked beforehand: data, crops,
            loss, network, weights to start from. Writes nothing.
        scores: files of scores in a run's folder, by network in the order in which they are trained; those of the last
            one are the run's.
        run: does a run in its folder, or goes on with it. Its last arguments: folders of runs of other policies with
            the same seed, from which what they did alike may be taken, and a folder for locks.
        inlined: plain values with those recipes read that they name as files relative to a folder.
        last: name of the file that a run writes last.
    """

    parse: Callable[[Values, str], HasSources]
    with_seed: Callable[[Values, int], dict[str, Any]]
    describe: Callable[[Values, str, Path, TrainOptions], list[str]]
    scores: Callable[[Values, Path], dict[str, Path]]
    run: Callable[[Values, str, Path, TrainOptions, Sequence[Path], Path], None]
    inlined: Callable[[Values, Path], dict[str, Any]]
    last: str


def kind_of(values: Values, where: str) -> StudyKind:
    """The kind of a recipe.

    Raises:
        UserError: a study compares none of that kind.
    """
    kind = _kind(values)
    if kind not in KINDS:
        raise UserError(
            f"{where}: a study compares recipes of kind {', '.join(KINDS)}, this one is of {kind}; run it alone"
        )
    return KINDS[kind]


def read_inner(values: Values, folder: Path) -> dict[str, Any]:
    """The recipe with those read that it names as files relative to ``folder``.

    Raises:
        UserError: one of them cannot be read.
    """
    return KINDS[kind].inlined(values, folder) if (kind := _kind(values)) in KINDS else dict(values)


def _kind(values: Values) -> str:
    """The kind as the recipe says it, or as what is in it tells."""
    likely = ROUNDS if "unlabelled" in values else COARSE if "coarse" in values else TRAINING
    return str(values.get("kind", likely))


def _parse_training(values: Values, where: str) -> HasSources:
    recipe = parse_recipe(values, TRAININGS[_kind(values)], where)
    if recipe.val is None and recipe.test is None:
        raise UserError(f"{where}: nothing to score on, expected val or test; give it one of them")
    return recipe


def _seed_training(values: Values, seed: int) -> dict[str, Any]:
    return with_overrides(values, {"fit.seed": seed})


def _describe_training(values: Values, where: str, folder: Path, options: TrainOptions) -> list[str]:
    return describe_recipe(values, where, folder, options).splitlines()


def _run_training(
    values: Values, where: str, folder: Path, options: TrainOptions, others: Sequence[Path], locks: Path
) -> None:
    run_recipe(values, where, folder, options)


def _describe_rounds(values: Values, where: str, folder: Path, options: TrainOptions) -> list[str]:
    plan, data = make_plan(parse_selftrain(values, where), where, options)
    check_trainings(plan, folder)
    return describe_plan(plan, data)


def _scores_of_rounds(values: Values, folder: Path) -> dict[str, Path]:
    recipe = parse_selftrain(values, "recipe")
    return {model.title: model.folder(folder, recipe.seeds[0]) / SCORES for model in models_of(recipe)}


def _run_rounds(
    values: Values, where: str, folder: Path, options: TrainOptions, others: Sequence[Path], locks: Path
) -> None:
    run_rounds(
        parse_selftrain(values, where), where, folder, options, shared=SharedStages(COMMAND, folder, others, locks)
    )


def _describe_coarse(values: Values, where: str, folder: Path, options: TrainOptions) -> list[str]:
    plan, data = coarse_plan.make_plan(coarse_recipe.parse_rounds(values, where), where, options)
    warnings = coarse_plan.check_inputs(plan, data, folder)
    return [*coarse_dry_run.describe_plan(plan, data), *warnings]


def _scores_of_coarse(values: Values, folder: Path) -> dict[str, Path]:
    recipe = coarse_recipe.parse_rounds(values, "recipe")
    return {model.title: model.folder(folder, recipe.seeds[0]) / SCORES for model in coarse_rounds.models_of(recipe)}


def _run_coarse(
    values: Values, where: str, folder: Path, options: TrainOptions, others: Sequence[Path], locks: Path
) -> None:
    shared = SharedStages(coarse_recipe.COMMAND, folder, others, locks)
    coarse_run.run_rounds(coarse_recipe.parse_rounds(values, where), where, folder, options, shared=shared)


_TRAINING = StudyKind(
    _parse_training,
    _seed_training,
    _describe_training,
    lambda values, folder: {RESULT: folder / SCORES},
    _run_training,
    lambda values, folder: dict(values),
    SCORES,
)
KINDS: dict[str, StudyKind] = {
    **dict.fromkeys(NETWORK_KINDS, _TRAINING),
    ROUNDS: StudyKind(
        parse_selftrain,
        lambda values, seed: {**values, "seeds": [seed]},
        _describe_rounds,
        _scores_of_rounds,
        _run_rounds,
        inlined,
        REPORT,
    ),
    COARSE: StudyKind(
        coarse_recipe.parse_rounds,
        lambda values, seed: {**values, "seeds": [seed]},
        _describe_coarse,
        _scores_of_coarse,
        _run_coarse,
        coarse_recipe.inlined,
        coarse_report.REPORT,
    ),
    **dict.fromkeys(TRAININGS.keys() - NETWORK_KINDS.keys(), _TRAINING),
}
"""By the ``kind`` of the recipe."""
