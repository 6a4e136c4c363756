"""What differs between two sets of settings, for a person: dotted names, each with its value before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seglift.base.counts import counted

SHOWN, LENGTH = 4, 40
"""How many differences are told, and with how many characters of a value."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any], details: str = "") -> str:
    """What differs, in one line; empty where nothing does. A name that is missing counts as null.

    Args:
        before: plain values by name, nested.
        after: the same.
        details: where all of it can be seen, told where there is more than fits.

    Example:
        >>> differences({"coarse": [{"count": None}], "mix": {"share": 0.5}}, {"coarse": [{"count": 5}], "mix": None})
        'coarse.0.count null -> 5, mix (1 value) -> null'
    """
    found = list(_differences(before, after, ""))
    more = len(found) - SHOWN
    told = f" and {more} more{details and ', see ' + details}" if more > 0 else ""
    return ", ".join(found[:SHOWN]) + told


def _differences(before: Any, after: Any, name: str) -> Iterator[str]:
    """One text for each value that differs, within what is called ``name``."""
    above = f"{name}." if name else ""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*after, *before]):
            yield from _differences(_part(before, key, after), _part(after, key, before), f"{above}{key}")
    elif _holds_parts(before) and _holds_parts(after) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{above}{number}")
    elif before != after:
        old, new = _shown(before), _shown(after)
        yield f"{name} {old} -> {new}" if old != new else f"{name} has other values"


def _part(values: Mapping[str, Any], key: str, others: Mapping[str, Any]) -> Any:
    """A value by name; where it is missing beside names with values, none of these."""
    return values.get(key, {} if isinstance(others.get(key), Mapping) else None)


def _holds_parts(value: Any) -> bool:
    """Whether it is a list of lists or of names with values."""
    return isinstance(value, list | tuple) and any(isinstance(entry, list | tuple | Mapping) for entry in value)


def _shown(value: Any) -> str:
    """A value, shortened in its middle; of nested ones and long lists how many there are."""
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value)
        nested = isinstance(value, Mapping) or _holds_parts(value)
        if value and (nested or (isinstance(value, list | tuple) and len(text) > LENGTH)):
            return f"({counted(len(value), 'value')})"
    return text if len(text) <= LENGTH else f"{text[: LENGTH // 2 - 2]}...{text[-LENGTH // 2 + 2 :]}"
