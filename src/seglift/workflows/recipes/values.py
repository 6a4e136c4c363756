"""Whether plain values have the names and types that a recipe's dataclass asks for, said so that its writer sees."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from seglift.base.errors import UserError

_SHOWN = 60
_NAMED = "names with values"
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def check_values(value: Any, hint: Any, name: str = "") -> None:
    """Refuses what does not fit.

    Args:
        value: plain value, as YAML gives it.
        hint: a dataclass, a plain type, or unions, tuples, dicts and literals of them.
        name: dotted name of the value within the recipe; empty for the whole.

    Raises:
        UserError: an unknown name (the nearest is told), a missing one, or a value of another type.
    """
    options = _options(hint)
    fitting = next((option for option in options if _fits(value, option)), None)
    if fitting is None:
        expected = " or ".join(_described(option) for option in options)
        raise UserError(f"{name or 'the whole'} is {_shown(value)}, expected {expected}; correct the recipe")
    if is_dataclass(fitting):
        _check_named(value, fitting, name)
    elif get_origin(fitting) is tuple:
        kinds = get_args(fitting)
        for number, entry in enumerate(value):
            kind = kinds[0] if kinds[-1] is ... else kinds[number]
            check_values(entry, kind, f"{name}[{number}]")
            if is_dataclass(kind) and not entry:
                raise UserError(f"{name}[{number}] is empty, expected {_NAMED}; fill it in or drop it")
    elif get_origin(fitting) is dict:
        for key, entry in value.items():
            if not isinstance(key, str):
                raise UserError(f"{name} has {_shown(key)} for a name, expected text; put it in quotes")
            check_values(entry, get_args(fitting)[1], f"{name}.{key}")


def _check_named(value: Mapping[str, Any], kind: Any, name: str) -> None:
    """The values of a dataclass by name."""
    above = f"{name}." if name else ""
    hints = get_type_hints(kind)
    for key, inner in value.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"did you mean {above}{near[0]}?" if near else f"it knows {', '.join(hints)}"
            raise UserError(f"unknown name {above}{key}; {hint}")
        check_values(inner, hints[key], above + str(key))
    for entry in fields(kind):
        if entry.name not in value and entry.default is MISSING and entry.default_factory is MISSING:
            raise UserError(f"{name or 'the recipe'} lacks {entry.name}; add it")


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if isinstance(hint, types.UnionType) or get_origin(hint) is Union else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of this kind, whatever lies inside."""
    origin = get_origin(hint)
    if hint is Any:
        return True
    if is_dataclass(hint) or origin is dict:
        return isinstance(value, Mapping)
    if origin is tuple:
        kinds = get_args(hint)
        return isinstance(value, list | tuple) and (kinds[-1] is ... or len(value) == len(kinds))
    if origin is Literal:
        return value in get_args(hint)
    if hint in (int, float):
        return _is_number(value, hint)
    return isinstance(value, hint)


def _is_number(value: Any, kind: type[int] | type[float]) -> bool:
    """YAML reads some numbers, such as 1e-3, as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    if kind is int and isinstance(value, float):
        return False
    try:
        kind(value)
    except ValueError:
        return False
    return True


def _described(hint: Any) -> str:
    if is_dataclass(hint) or get_origin(hint) is dict:
        return _NAMED
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        return "a list" if kinds[-1] is ... else f"a list of {len(kinds)} values"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    return _NAMES.get(hint, str(hint))


def _shown(value: Any) -> str:
    """The value as a recipe has it, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
