"""A label space by its name, or from a user's YAML or JSON file."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import IGNORE_TRAIN_ID, LabelClass, LabelSpace, find_problem

_SUFFIXES = (".yaml", ".yml", ".json")
_SPACE_KEYS = ("name", "ignore", "classes")
_CLASS_KEYS = ("id", "name", "color", "train_id", "category", "thing")
_BLACK = (0, 0, 0)


def get_space(name_or_path: str) -> LabelSpace:
    """The label space called ``name_or_path``, or read from the YAML or JSON file of that path.

    Raises:
        UserError: no such space or file (the names are listed), or the file breaks a rule of :func:`parse_space`.
    """
    if name_or_path in BUILTIN_SPACES:
        return BUILTIN_SPACES[name_or_path]
    path = Path(name_or_path)
    if path.suffix.lower() not in _SUFFIXES and not path.is_file():
        raise UserError(
            f"no label space is called '{name_or_path}'; expected one of {', '.join(BUILTIN_SPACES)}, "
            "or give the path of a YAML or JSON file"
        )
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"cannot read label space {path}: {error.strerror or error}; check the path") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"label space {path} is not valid YAML or JSON ({error}); correct it") from error
    return parse_space(data, str(path), path.stem)


def space_to_data(space: LabelSpace) -> dict[str, Any]:
    """The space as JSON-serialisable data, from which :func:`parse_space` makes an equal one (``preferred`` aside)."""
    classes = [
        {
            "id": entry.id,
            "name": entry.name,
            "color": list(entry.color),
            "train_id": entry.train_id,
            "category": entry.category,
            "thing": entry.thing,
        }
        for entry in space.classes
    ]
    return {"name": space.name, "ignore": space.ignore, "classes": classes}


def parse_space(data: Any, where: str, default_name: str = "custom") -> LabelSpace:
    """Checks and completes the data of a space.

    ``data`` is a mapping with ``classes`` (a list of mappings with ``id``, ``name`` and optionally ``color``,
    ``train_id``, ``category``, ``thing``) and optionally ``name`` and ``ignore``. Without any train id, classes other
    than ``ignore`` are numbered in order; a missing colour is generated; the category defaults to the name, thing to
    false. An ``ignore`` that is no class's id becomes a class of its own.

    Args:
        data: what the YAML or JSON held.
        where: the file's name, for errors.
        default_name: name of the space where the data give none.

    Raises:
        UserError: unknown or missing keys, wrong types, ids or names twice, values outside 0..255, train ids with gaps.
    """
    _check_keys(data, _SPACE_KEYS, ("classes",), where)
    rows = data["classes"]
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{where}: 'classes' must be a list with at least one class; add them")
    for position, row in enumerate(rows):
        _check_keys(row, _CLASS_KEYS, ("id", "name"), f"{where}, class {position}")
        _check_class_types(row, f"{where}, class {position}")
    name, ignore = data.get("name", default_name), data.get("ignore")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}: 'name' must be text, got {name!r}; quote it")
    if ignore is not None and not _is_integer(ignore):
        raise UserError(f"{where}: 'ignore' must be a raw id 0..255 or null, got {ignore!r}; correct it")
    classes = tuple(_build_classes(rows, ignore, where))
    problem = find_problem(classes, ignore)
    if problem is not None:
        raise UserError(f"{where}: {problem}; correct the file")
    return LabelSpace(name, classes, ignore)


def distinct_colors(taken: set[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Endless RGB colours far apart in hue (golden-ratio steps), always the same, none of ``taken`` and none twice."""
    seen, step = set(taken), 0
    while True:
        hue, ring = (step * 0.618034) % 1.0, step // 24
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.85 - 0.25 * (ring % 3), 0.95 - 0.2 * (ring // 3 % 3))
        color = (round(red * 255), round(green * 255), round(blue * 255))
        step += 1
        if color not in seen:
            seen.add(color)
            yield color


def _build_classes(rows: list[dict[str, Any]], ignore: int | None, where: str) -> Iterator[LabelClass]:
    explicit = any(row.get("train_id", IGNORE_TRAIN_ID) != IGNORE_TRAIN_ID for row in rows)
    colors = distinct_colors({tuple(row["color"]) for row in rows if "color" in row} | {_BLACK})
    number = 0
    for row in rows:
        is_ignore = row["id"] == ignore
        if "train_id" in row:
            train_id = row["train_id"]
        elif is_ignore:
            train_id = IGNORE_TRAIN_ID
        elif explicit:
            raise UserError(
                f"{where}: class '{row['name']}' lacks train_id while others have one; give it (255 = void)"
            )
        else:
            train_id, number = number, number + 1
        color = tuple(row["color"]) if "color" in row else _BLACK if is_ignore else next(colors)
        category = row.get("category", row["name"])
        yield LabelClass(row["id"], row["name"], color, train_id, category, row.get("thing", False))
    if ignore is not None and ignore not in {row["id"] for row in rows}:
        taken = {row["name"] for row in rows}
        name = next(name for name in ("void", "ignore", f"void {ignore}") if name not in taken)
        yield LabelClass(ignore, name, _BLACK, IGNORE_TRAIN_ID, "void", False)


def _check_keys(data: Any, allowed: tuple[str, ...], needed: tuple[str, ...], where: str) -> None:
    if not isinstance(data, dict):
        raise UserError(f"{where}: a mapping with the keys {', '.join(allowed)} is expected, got {type(data).__name__}")
    unknown = [str(key) for key in data if key not in allowed]
    missing = [key for key in needed if key not in data]
    if unknown:
        raise UserError(f"{where}: unknown key {', '.join(unknown)}; expected only {', '.join(allowed)}; correct it")
    if missing:
        raise UserError(f"{where}: {', '.join(missing)} is missing; add it")


def _check_class_types(row: dict[str, Any], where: str) -> None:
    color = row.get("color", list(_BLACK))
    checks = (
        ("id", _is_integer(row["id"]), "an integer 0..255"),
        ("name", isinstance(row["name"], str) and bool(row["name"]), "text (quote words such as no or 1)"),
        (
            "color",
            isinstance(color, list) and len(color) == 3 and all(map(_is_integer, color)),
            "[r, g, b], each 0..255",
        ),
        ("train_id", _is_integer(row.get("train_id", 0)), "an integer 0, 1, 2, ... or 255"),
        ("category", isinstance(row.get("category", ""), str), "text"),
        ("thing", isinstance(row.get("thing", False), bool), "true or false"),
    )
    for key, fine, expected in checks:
        if not fine:
            raise UserError(f"{where}: '{key}' must be {expected}, got {row[key]!r}; correct it")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
