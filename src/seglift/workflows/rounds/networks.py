"""The networks of rounds: which there are, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Network:
    """A network of the rounds: what it is called, and its parameters where these are known."""

    name: str
    parameters: int | None


@dataclass(frozen=True)
class Model:
    """A network of the rounds that is trained and scored.

    Attributes:
        round: 0 for the first teacher.
        name: ``teacher``, ``student`` or ``fine_tuned``; names its folder in that of the round.
    """

    round: int
    name: str

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.round} {self.name.replace('_', '-')}"

    def folder(self, out: Path, seed: int) -> Path:
        """Where it lies."""
        return round_folder(out, seed, self.round) / self.name


def seed_folder(out: Path, seed: int) -> Path:
    """Where everything of one seed lies."""
    return out / f"seed_{seed}"


def round_folder(out: Path, seed: int, number: int) -> Path:
    """Where everything of one round lies."""
    return seed_folder(out, seed) / f"round_{number}"
