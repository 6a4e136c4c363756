"""Words of the command line that change a recipe: ``--set NAME=VALUE`` and ``--root [NAME=]DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seglift.base.errors import UserError


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``data`` with values put at dotted names, entries of lists by number from 0.

    Example:
        >>> with_overrides({"train": [{"dataset": "kitti"}]}, {"fit.steps": 100, "train.0.split": "val"})
        {'train': [{'dataset': 'kitti', 'split': 'val'}], 'fit': {'steps': 100}}

    Raises:
        UserError: a dotted name leads through a value that has no such part.
    """
    result = dict(data)
    for dotted, value in overrides.items():
        first, *rest = dotted.split(".")
        result[first] = _changed(result.get(first), rest, value, dotted, first)
    return result


def _changed(inner: Any, parts: Sequence[str], value: Any, dotted: str, above: str) -> Any:
    """``inner``, which is called ``above``, with ``value`` put at ``parts`` within."""
    if not parts:
        return value
    first, *rest = parts
    if isinstance(inner, list):
        if not (first.isascii() and first.isdecimal() and int(first) < len(inner)):
            raise UserError(
                f"cannot set {dotted}: {above} is a list of {len(inner)}, its entries are named by number from 0;"
                f" set {above} as a whole"
            )
        copy = list(inner)
        copy[int(first)] = _changed(copy[int(first)], rest, value, dotted, f"{above}.{first}")
        return copy
    if inner is not None and not isinstance(inner, Mapping):
        raise UserError(f"cannot set {dotted}: {above} is {inner!r}, which has no parts; set {above} as a whole")
    known = dict(inner or {})
    return {**known, first: _changed(known.get(first), rest, value, dotted, f"{above}.{first}")}


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` words (VALUE is YAML) to values by dotted name.

    Raises:
        UserError: a word without ``=`` or with a value that is no YAML.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator or not name:
            raise UserError(f"--set {word!r}, expected NAME=VALUE such as fit.steps=100; correct it")
        try:
            found[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {word!r} has a value that is no YAML; quote it") from error
    return found


def parse_roots(words: Sequence[str]) -> dict[str, Path]:
    """``NAME=DIR`` words to folders by name; a plain ``DIR`` is under the empty name.

    Raises:
        UserError: a name is given twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, separator, folder = word.partition("=")
        if not separator or Path(word).exists():
            name, folder = "", word
        if name in found:
            raise UserError(f"--root {name + '=' if name else ''}... is given twice, expected each name once; drop one")
        found[name] = Path(folder)
    return found


def root_of(called: str, root: str | None, roots: Mapping[str, Path]) -> Path:
    """Where a source of a recipe lies: what the command line says stands above the recipe.

    Args:
        called: what the recipe calls the source.
        root: its folder as the recipe says it.
        roots: see :func:`parse_roots`.

    Raises:
        UserError: neither says it.
    """
    found = roots.get(called, roots.get("", None if root is None else Path(root)))
    if found is None:
        raise UserError(f'the recipe does not say where "{called}" lies; add --root {called}=DIR')
    return found


def check_roots(roots: Mapping[str, Path], names: set[str]) -> None:
    """Refuses folders for sources that there are not.

    Args:
        roots: see :func:`parse_roots`.
        names: what the recipe calls its sources.

    Raises:
        UserError: an unknown name, or a folder without name where there are several.
    """
    unknown = sorted(set(roots) - names - {""})
    if unknown or ("" in roots and len(names) > 1):
        given = f"--root {unknown[0]}=..." if unknown else "--root without a name"
        raise UserError(f"{given}, expected folders for {', '.join(sorted(names))}; write --root NAME=DIR")
