"""Whether weights are of the network that a recipe names, or of a part of it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from seglift.base.errors import UserError
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.zoo import NETWORKS

ENCODER = "encoder"


def check_same_network(spec: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuses weights that may fit by names and shapes, and would mean something else.

    A semantic network may stand for the panoptic one that is made of it and of instance heads.

    Args:
        spec: what the weights are called in messages.
        given: what ``zoo.build`` made their network from.
        wanted: what it makes the recipe's network from. The number of classes may differ.

    Raises:
        UserError: another architecture, or other arguments of it, defaults included.
    """
    (theirs, their_arguments), (ours, our_arguments) = _resolved(given), _resolved(wanted)
    if theirs is not ours and not _is_within(theirs, ours):
        raise UserError(
            f"{spec} is of another network: a {given['architecture']}, expected a {wanted['architecture']};"
            " give weights of the recipe's network, or change network.architecture"
        )
    compared = their_arguments.keys() | (our_arguments.keys() if theirs is ours else set())
    differing = sorted(name for name in compared if their_arguments.get(name) != our_arguments.get(name))
    if differing:
        said = (f"{name} {their_arguments.get(name)} (the recipe: {our_arguments.get(name)})" for name in differing)
        raise UserError(f"{spec} is of another network: it has {', '.join(said)}; change network.arguments")


def shares_encoder(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a panoptic network has the encoder of another kind of network, and can begin with its weights."""
    (theirs, their_arguments), (ours, our_arguments) = _resolved(given), _resolved(wanted)
    encoder = our_arguments.get(ENCODER)
    return (
        theirs is not ours
        and inspect.isclass(ours)
        and issubclass(ours, PanopticNetwork)
        and encoder is not None
        and their_arguments.get(ENCODER) == encoder
    )


def _is_within(theirs: object, ours: object) -> bool:
    """Whether the one is a semantic network that the other adds instance heads to."""
    return (
        inspect.isclass(theirs)
        and inspect.isclass(ours)
        and issubclass(ours, PanopticNetwork)
        and theirs is not ours
        and issubclass(ours, theirs)
    )


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
