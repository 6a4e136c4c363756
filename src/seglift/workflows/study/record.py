"""A study in its folder: read, refused where the folder holds one of another recipe, remembered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_json
from seglift.workflows.recipes.overrides import check_roots
from seglift.workflows.study.recipe import Policy, StudyRecipe, read_study
from seglift.workflows.study.runs import Run, runs_of
from seglift.workflows.train.setup import TrainOptions

RECORD = "study.json"


def open_study(recipe_path: Path, out: Path, options: TrainOptions) -> tuple[StudyRecipe, dict[str, Policy], list[Run]]:
    """A study with its policies by name and its runs; reads no data.

    Args:
        recipe_path: YAML of a :class:`StudyRecipe`.
        out: folder of the study.
        options: roots, and overrides for the runs.

    Raises:
        UserError: the recipe of the study or of a policy is wrong, a root is of no source, or ``out`` holds a study of
            another recipe.
    """
    study, policies = read_study(recipe_path, options.overrides)
    check_roots(options.roots, set().union(*(policy.sources for policy in policies.values())))
    _check_record(out, policies)
    return study, policies, runs_of(study, policies, out)


def write_record(out: Path, study: StudyRecipe, policies: Mapping[str, Policy]) -> None:
    """Keeps what each policy means.

    Raises:
        UserError: ``out`` cannot be written.
    """
    recipes = {name: policy.values for name, policy in policies.items()}
    record = {"policies": _known(out) | _meanings(policies), "recipes": recipes, "metrics": list(study.metrics)}
    write_json(out / RECORD, record)


def _check_record(out: Path, policies: Mapping[str, Policy]) -> None:
    """Refuses a folder in which a policy means something else; seeds and policies may be added.

    Raises:
        UserError: ``out`` holds runs of one of the policies with another recipe.
    """
    known = _known(out)
    changed = [name for name, meaning in _meanings(policies).items() if known.get(name, meaning) != meaning]
    if changed:
        raise UserError(
            f"{out} holds runs of the policy {changed[0]} with another meaning (the recipe changed since);"
            " rename the policy or choose another --out"
        )


def _known(out: Path) -> dict[str, str]:
    """What the policies of earlier calls meant, by name."""
    known: dict[str, str] = read_json(out / RECORD)["policies"] if (out / RECORD).is_file() else {}
    return known


def _meanings(policies: Mapping[str, Policy]) -> dict[str, str]:
    return {name: fingerprint_values(policy.values) for name, policy in policies.items()}
