"""Recipes: YAML files read strictly into frozen dataclasses, and written out again with every default."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from seglift.base.errors import UserError
from seglift.workflows.recipes.values import check_values

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file whose top is a mapping.

    Raises:
        UserError: it is missing, no YAML, or something else at the top.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the recipe {path} ({error.strerror or error}); give a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no YAML ({' '.join(str(error).split())}); correct it") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UserError(f"{path} holds {type(data).__name__}, expected names with values; see recipes/ for examples")
    return data


def plain_values(recipe: Any) -> Any:
    """A dataclass as nested dicts and lists that YAML can hold, every default spelt out."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {entry.name: plain_values(getattr(recipe, entry.name)) for entry in fields(recipe)}
    if isinstance(recipe, Mapping):
        return {name: plain_values(value) for name, value in recipe.items()}
    return [plain_values(value) for value in recipe] if isinstance(recipe, list | tuple) else recipe


def parse_recipe(data: Mapping[str, Any], kind: type[T], where: str) -> T:
    """Plain values to a frozen dataclass, strictly: unknown names and wrong types are refused.

    Args:
        data: nested plain values, as YAML gives them.
        kind: the dataclass.
        where: name of the file, for errors.

    Raises:
        UserError: an unknown name (near ones are told), a missing one, a wrong type or an impossible value.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    try:
        check_values(data, kind)
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(kind, "recipe")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse_object({"recipe": dict(data)})
            made: T = parser.instantiate_classes(parsed).recipe
    except (ArgumentError, TypeError, ValueError) as error:
        reason = _reason_of_union(str(error))
        if reason is not None:
            raise UserError(f"{where}: {reason}") from error
        text = " ".join(str(error).split()).replace("recipe.", "").replace("Parser key ", "")
        raise UserError(f"{where}: {text}; correct the recipe") from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return made


def _reason_of_union(text: str) -> str | None:
    """What the dataclass of an optional part refused, which the parser tells beside that null would do."""
    found = [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip().startswith("- ")]
    return next((line for line in found if "<class" not in line), None) if "Union subtypes" in text else None
