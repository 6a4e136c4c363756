"""Output channels of a model that knows other classes, mapped by name onto the evaluated classes of a label space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace

MISSING_LOGIT = -1e4
"""Of a class that the model does not know."""

ALIASES: tuple[frozenset[str], ...] = (
    frozenset({"road", "street", "roadway", "driveable area", "drivable area"}),
    frozenset({"sidewalk", "pavement", "footpath", "sidewalk pavement"}),
    frozenset({"building", "edifice", "house", "skyscraper"}),
    frozenset({"vegetation", "tree", "plant", "flora", "plant life", "bush", "palm"}),
    frozenset({"terrain", "grass", "earth", "ground", "field"}),
    frozenset({"traffic sign", "sign symbol", "sign", "signboard", "traffic sign front"}),
    frozenset({"traffic light", "traffic signal", "stoplight"}),
    frozenset({"pole", "column pole", "post", "utility pole"}),
    frozenset({"person", "pedestrian", "people", "individual", "human"}),
    frozenset({"rider", "bicyclist", "cyclist", "motorcyclist"}),
    frozenset({"bicycle", "bike", "cycle"}),
    frozenset({"motorcycle", "motorbike", "minibike", "motorcycle scooter"}),
    frozenset({"car", "auto", "automobile", "motorcar", "suv pickup truck"}),
    frozenset({"truck", "lorry", "motortruck", "truck bus"}),
    frozenset({"train", "tram", "on rails"}),
    frozenset({"bus", "autobus", "coach"}),
)


def normalise_name(name: str) -> str:
    """Lower case, words apart by one space: ``SignSymbol``, ``sign_symbol`` and ``Sign-symbol`` become one.

    So are the words of ``SUVPickupTruck``.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", apart.lower()))


def spellings(name: str) -> tuple[str, ...]:
    """The normalised names that ``name`` may stand for: itself whole, then each of its comma-separated synonyms."""
    parts = [normalise_name(part) for part in name.split(",")]
    return tuple(dict.fromkeys([normalise_name(name), *filter(None, parts)]))


@dataclass(frozen=True)
class ClassMapping:
    """Which channels of a model make which class of a space.

    Attributes:
        channels: for each train id the model's channels that belong to it (possibly none).
        unmapped_model: the model's classes that go nowhere.
        unmapped_space: the space's evaluated classes that the model does not know.
    """

    channels: tuple[tuple[int, ...], ...]
    unmapped_model: tuple[str, ...]
    unmapped_space: tuple[str, ...]

    @property
    def is_identity(self) -> bool:
        """Whether the channels already are the train ids."""
        return not self.unmapped_model and self.channels == tuple((n,) for n in range(len(self.channels)))

    def apply(self, logits: Tensor) -> Tensor:
        """The model's logits [B, M, h, w] to logits [B, C, h, w] over train ids.

        Channels of one class are joined by logsumexp (their probabilities add up); a class that the model does not know
        gets -1e4.
        """
        if self.is_identity:
            return logits
        result = logits.new_full((logits.shape[0], len(self.channels), *logits.shape[2:]), MISSING_LOGIT)
        for train_id, channels in enumerate(self.channels):
            if channels:
                result[:, train_id] = torch.logsumexp(logits[:, list(channels)], dim=1)
        return result

    def describe(self) -> str | None:
        """One line about what is unmapped, or None where nothing is."""
        parts = []
        if self.unmapped_space:
            parts.append(f"the model does not know: {', '.join(self.unmapped_space)}")
        if self.unmapped_model:
            parts.append(f"unused classes of the model: {_shortened(self.unmapped_model)}")
        return "; ".join(parts) or None


def map_classes(
    names: Sequence[str], space: LabelSpace, what: str, chosen: Mapping[str, str | None] | None = None
) -> ClassMapping:
    """Maps a model's class names onto the evaluated classes of ``space``.

    Equal names (without regard to case, ``_`` and ``-``) win over synonyms; every raw class of the space counts, not
    only the first of each train id.

    Args:
        names: one for each output channel.
        space: the space wanted.
        what: the model, for the error.
        chosen: class of the space for some of the names, above what names and synonyms say; None for no class.

    Raises:
        UserError: not one class could be mapped, or ``chosen`` names a class that there is not.
    """
    exact: dict[str, int] = {}
    for entry in space.classes:
        if entry.train_id != IGNORE_TRAIN_ID:
            exact.setdefault(normalise_name(entry.name), entry.train_id)
    wanted = _wanted(names, space, what, exact, chosen or {})
    channels: list[list[int]] = [[] for _ in range(space.num_train)]
    unmapped: list[str] = []
    for channel, name in enumerate(names):
        own = normalise_name(name)
        train_id = wanted[own] if own in wanted else _find(name, exact)
        if train_id is None:
            unmapped.append(name)
        else:
            channels[train_id].append(channel)
    missing = tuple(space.train_names[n] for n, found in enumerate(channels) if not found)
    if len(missing) == space.num_train:
        raise UserError(
            f"{what} has the classes {_shortened(names)}, none of them in {space.name}"
            f" ({_shortened(space.train_names)}); give one that has some of these"
        )
    return ClassMapping(tuple(map(tuple, channels)), tuple(unmapped), missing)


def _wanted(
    names: Sequence[str], space: LabelSpace, what: str, exact: dict[str, int], chosen: Mapping[str, str | None]
) -> dict[str, int | None]:
    """Train id, or None, of those normalised names for which one is chosen."""
    known, found = {normalise_name(name) for name in names}, dict[str, int | None]()
    for name, target in chosen.items():
        own = normalise_name(name)
        if own not in known:
            raise UserError(f"classes names {name!r}, which {what} does not have ({', '.join(names)}); correct it")
        if own in found:
            raise UserError(f"classes names {name!r} of {what} twice, expected each class once; drop one")
        found[own] = None if target is None else _find(target, exact)
        if target is not None and found[own] is None:
            raise UserError(
                f"classes makes {target!r} of {name!r} of {what}, expected null or a class of {space.name}"
                f" ({', '.join(space.train_names)}); correct it"
            )
    return found


def _find(name: str, exact: dict[str, int]) -> int | None:
    for spelling in spellings(name):
        if spelling in exact:
            return exact[spelling]
    for spelling in spellings(name):
        for group in ALIASES:
            if spelling in group:
                found = [exact[other] for other in sorted(group) if other in exact]
                if found:
                    return found[0]
    return None


def _shortened(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
