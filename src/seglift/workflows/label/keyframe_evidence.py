"""What two neighbouring keyframes say of each other, kept beside the journal, and what a user is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.files import read_json, write_json
from seglift.labels.space import LabelSpace
from seglift.propagation.arrival import Arrival, arrive, compare_arrival
from seglift.propagation.evidence import MOSTLY_VOID
from seglift.propagation.gap_confidence import confidence_offset
from seglift.propagation.state import GetFrame, Origin
from seglift.propagation.traverse import Gap
from seglift.workflows.score.text import number

FOLDER = "arrivals"


@dataclass(frozen=True)
class KeyframePair:
    """Two neighbouring keyframes and what arrived at each from the other.

    Attributes:
        left: frame index of the earlier one.
        right: frame index of the later one.
        forward: the left one's labels on the right one.
        backward: the right one's labels on the left one.
    """

    left: int
    right: int
    forward: Arrival
    backward: Arrival

    @cached_property
    def offset(self) -> float:
        """By how much the confidence of the frames between is too low, in log odds, 0 or more."""
        return confidence_offset(self.forward, self.backward)

    def warning(self, stems: Sequence[str], space: LabelSpace) -> str | None:
        """A line for the user where the two contradict each other grossly; None where not.

        Args:
            stems: of the clip's frames.
            space: of the labels.
        """
        if not (self.forward.contradicts or self.backward.contradicts):
            return None
        share = max(self.forward.disagreement, self.backward.disagreement)
        by_class = np.maximum(self.forward.class_disagreement, self.backward.class_disagreement)
        worst = int(by_class.argmax())
        return (
            f"keyframes {stems[self.left]} and {stems[self.right]} contradict each other: they differ on"
            f" {100 * share:.0f} % of the pixels whose motion is certain, on {100 * by_class[worst]:.0f} % of"
            f" '{space.train_names[worst]}'; look at both labels"
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for :meth:`from_json`."""
        sides = {"forward": self.forward.as_json(), "backward": self.backward.as_json()}
        return {"left": self.left, "right": self.right, **sides}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The pair of :meth:`as_json`."""
        sides = (Arrival.from_json(values[name]) for name in ("forward", "backward"))
        return cls(values["left"], values["right"], *sides)

    def describe(self, stems: Sequence[str], first: int) -> dict[str, Any]:
        """What ``run.json`` says of the pair: fractions 0..1, null where nothing could be compared.

        Args:
            stems: of the clip's frames.
            first: index that ``frames.jsonl`` gives the clip's first frame.
        """
        scores = {
            name: {
                "pixel_accuracy": number(arrival.confusion.pixel_accuracy()),
                "miou": number(arrival.confusion.miou()),
                "compared": float(arrival.confusion.counts.sum()) / arrival.pixels,
                "trusted": float(arrival.trusted.sum()) / arrival.pixels,
                "trusted_disagreement": arrival.disagreement,
            }
            for name, arrival in (("forward", self.forward), ("backward", self.backward))
        }
        return {
            "keyframes": [stems[self.left], stems[self.right]],
            "indices": [self.left + first, self.right + first],
            **scores,
            "confidence_offset": self.offset,
            "contradiction": self.forward.contradicts or self.backward.contradicts,
        }


class KeyframeEvidence:
    """The pairs of one OUT, one file for each gap; there before a frame of the gap is written.

    Args:
        folder: holds nothing else; made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, pair: KeyframePair) -> None:
        """Stores ``pair`` under ``name``, which changes with anything that the pair depends on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._folder / f"{name}.json", pair.as_json())

    def find(self, name: str) -> KeyframePair | None:
        """The pair of that name; None where there is none or it is damaged."""
        path = self._folder / f"{name}.json"
        try:
            return KeyframePair.from_json(read_json(path)) if path.is_file() else None
        except (UserError, ValueError, KeyError, TypeError):
            return None

    def remove_strangers(self, names: Iterable[str]) -> None:
        """Deletes pairs of other names."""
        known = {f"{name}.json" for name in names}
        for path in self._folder.glob("*.json"):
            if path.name not in known:
                path.unlink()


def compare_keyframes(
    gap: Gap,
    traces: tuple[Tensor, Tensor],
    grid: int,
    origin: Callable[[int], Origin],
    frame: GetFrame,
    space: LabelSpace,
) -> KeyframePair:
    """What a walk tells of the keyframes of ``gap`` (see ``Walker.arrived``), compared with what is drawn.

    Args:
        gap: between two keyframes.
        traces: of the left keyframe on the right one, and of the right one on the left one.
        grid: every which pixel they hold.
        origin: gives a keyframe by its index.
        frame: gives its picture.
        space: of the labels.
    """
    if gap.left is None or gap.right is None:
        raise ValueError("only a gap between two keyframes has arrivals")

    def compare(trace: Tensor, source: int, target: int) -> Arrival:
        drawn = origin(target)
        arrived = arrive(trace, origin(source), frame(target)[..., ::grid, ::grid], abs(target - source))
        return compare_arrival(arrived, drawn.labels[..., ::grid, ::grid], drawn.support[..., ::grid, ::grid], space)

    onto_right, onto_left = traces
    forward, backward = compare(onto_right, gap.left, gap.right), compare(onto_left, gap.right, gap.left)
    return KeyframePair(gap.left, gap.right, forward, backward)


def agreement_sentence(pairs: Sequence[KeyframePair]) -> str:
    """How far the keyframes bear each other out, for the reader of the report; empty without pairs."""
    arrivals = [arrival for pair in pairs for arrival in (pair.forward, pair.backward)]
    confusion = sum((arrival.confusion for arrival in arrivals[1:]), start=arrivals[0].confusion) if arrivals else None
    if confusion is None or not confusion.counts.any():
        return ""
    share = 100 * confusion.pixel_accuracy()
    return f"carried over a whole gap, labels agree with yours on {share:.0f} % of the pixels in view"


def void_warnings(void_shares: Sequence[tuple[str, float]]) -> list[str]:
    """Lines for the user on keyframes that are almost all void.

    Args:
        void_shares: stem and share of void (0..1) of each keyframe.
    """
    return [
        f"keyframe {stem} is {_whole_percent(share)} % void: little to learn from"
        for stem, share in void_shares
        if share >= MOSTLY_VOID
    ]


def _whole_percent(share: float) -> str:
    """Percent without decimals; what is not all is not called 100."""
    return f"{100 * share:.0f}" if share == 1.0 or share < 0.995 else f"{min(100 * share, 99.9):.1f}"
