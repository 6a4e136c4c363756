"""A study in its folder: read, refused where the folder holds one of another recipe, remembered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_json
from seglift.workflows.recipes.differences import differences
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
    before = _read(out)
    recipes = {name: policy.values for name, policy in policies.items()}
    told = {"policies": before["policies"] | _meanings(policies), "recipes": before["recipes"] | recipes}
    write_json(out / RECORD, {**told, "metrics": list(study.metrics)})


def _check_record(out: Path, policies: Mapping[str, Policy]) -> None:
    """Refuses a folder in which a policy means something else; seeds and policies may be added.

    Raises:
        UserError: ``out`` holds runs of one of the policies with another recipe.
    """
    record = _read(out)
    known, recipes = record["policies"], record["recipes"]
    for name, meaning in _meanings(policies).items():
        if known.get(name, meaning) != meaning:
            told = differences(recipes[name], policies[name].values) if name in recipes else "the recipe changed since"
            raise UserError(
                f"{out} holds runs of the policy {name} with another meaning ({told}); rename the policy or choose"
                " another --out"
            )


def _read(out: Path) -> dict[str, dict[str, Any]]:
    """The record of earlier calls: fingerprints and recipes of policies, by name; empty where there was none."""
    found: dict[str, Any] = read_json(out / RECORD) if (out / RECORD).is_file() else {}
    return {"policies": found.get("policies", {}), "recipes": found.get("recipes", {})}


def _meanings(policies: Mapping[str, Policy]) -> dict[str, str]:
    return {name: fingerprint_values(policy.values) for name, policy in policies.items()}
