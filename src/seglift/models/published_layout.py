"""How a published checkpoint names the tensors of one of our networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedLayout:
    """A released network: which of ours it is, and how its checkpoint calls each tensor.

    Attributes:
        released: what it is, in words, for messages.
        architecture: its name in ``zoo.NETWORKS``.
        arguments: the constructor's arguments, without ``num_classes``.
        rules: pairs (pattern, replacement) of ``re.sub``, applied one after another to a tensor's name in our network;
            the result is its name in the checkpoint.
        classifier: the checkpoint's name of a tensor whose first dimension is the number of classes.
        leftovers: patterns (``re.fullmatch``) of tensors that a checkpoint may hold and that no output depends on.
    """

    released: str
    architecture: str
    arguments: Mapping[str, Any]
    rules: tuple[tuple[str, str], ...]
    classifier: str
    leftovers: tuple[str, ...] = ()

    def published_name(self, name: str) -> str:
        """The checkpoint's name of the tensor that our network calls ``name``."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def is_leftover(self, published: str) -> bool:
        """Whether a tensor of the checkpoint may be left unused."""
        return any(re.fullmatch(pattern, published) for pattern in self.leftovers)

    def config(self, num_classes: int) -> dict[str, Any]:
        """What ``zoo.build`` makes the network from."""
        return {"architecture": self.architecture, "arguments": {"num_classes": num_classes, **self.arguments}}
