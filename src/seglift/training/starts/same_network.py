"""Whether weights are of the network that a recipe names."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from seglift.base.errors import UserError
from seglift.models.zoo import NETWORKS


def check_same_network(spec: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuses weights that may fit by names and shapes, and would mean something else.

    Args:
        spec: what the weights are called in messages.
        given: what ``zoo.build`` made their network from.
        wanted: what it makes the recipe's network from. The number of classes may differ.

    Raises:
        UserError: another architecture, or other arguments of it, defaults included.
    """
    (theirs, their_arguments), (ours, our_arguments) = _resolved(given), _resolved(wanted)
    if theirs is not ours:
        raise UserError(
            f"{spec} is of another network: a {given['architecture']}, expected a {wanted['architecture']};"
            " give weights of the recipe's network, or change network.architecture"
        )
    differing = sorted(
        name
        for name in their_arguments.keys() | our_arguments.keys()
        if their_arguments.get(name) != our_arguments.get(name)
    )
    if differing:
        said = (f"{name} {their_arguments.get(name)} (the recipe: {our_arguments.get(name)})" for name in differing)
        raise UserError(f"{spec} is of another network: it has {', '.join(said)}; change network.arguments")


def _resolved(config: Mapping[str, Any]) -> tuple[object, dict[str, str]]:
    """The constructor, and all arguments but the number of classes as JSON, defaults included."""
    constructor = NETWORKS.get(config["architecture"])
    if constructor is None:
        return config["architecture"], {}
    known = inspect.signature(constructor).parameters.values()
    values = {entry.name: entry.default for entry in known if entry.default is not entry.empty}
    values |= {name: value for name, value in config["arguments"].items() if name != "num_classes"}
    whose = constructor.func if isinstance(constructor, partial) else constructor
    return whose, {name: json.dumps(value, default=str) for name, value in values.items()}
