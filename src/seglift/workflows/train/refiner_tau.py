"""``pairs: {tau: auto}``: the photometric threshold that a refiner's training uses, chosen on its training frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_json
from seglift.base.locks import file_lock
from seglift.base.progress import ProgressBar
from seglift.metrics.confusion import Confusion
from seglift.propagation.cycle import CYCLE, KEYFRAME, ReturnConfig
from seglift.propagation.tau import TAUS, best_tau, confusions_by_tau, written_tau
from seglift.training.loop.processes import is_first_process
from seglift.training.refining.planned import SIDES, PlannedFrame
from seglift.training.refining.returns_cache import Making, neighbourhood

MOST_FRAMES = 40
"""Labelled frames that are looked at, evenly spread over all of them."""
SAID = {CYCLE: "cycles", KEYFRAME: "labels of labelled neighbours"}


@dataclass(frozen=True)
class TauChoice:
    """A threshold with what it was chosen by.

    Attributes:
        tau: the choice, RGB distance in 0..255 units; infinity where nothing but what is out of view is to be filled.
        miou: of the labels that came to the frames under each threshold, 0..1.
        kind: whose labels came: ``keyframe`` (of labelled neighbours) or ``cycle`` (a frame's own, out and back).
        frames: how many frames they came to.
    """

    tau: float
    miou: Mapping[float, float]
    kind: str
    frames: int

    @classmethod
    def from_json(cls, values: Any) -> TauChoice | None:
        """The inverse of :meth:`as_json`; None for anything else."""
        try:
            miou = {float(row["tau"]): float(row["miou"]) for row in values["table"]}
            return cls(float(values["tau"]), miou, str(values["kind"]), int(values["frames"]))
        except (KeyError, TypeError, ValueError):
            return None

    def as_json(self) -> dict[str, Any]:
        """``tau`` (a number or ``inf``), ``table`` (rows of ``tau`` and ``miou``, 0..1), ``kind`` and ``frames``."""
        table = [{"tau": written_tau(tau), "miou": score} for tau, score in self.miou.items()]
        return {"tau": written_tau(self.tau), "table": table, "kind": self.kind, "frames": self.frames}

    def sentence(self) -> str:
        """The same for a person."""
        table = ", ".join(f"{tau:g}: {100 * score:.2f}" for tau, score in self.miou.items())
        return (
            f"tau is {self.tau:g}, by mIoU of {SAID[self.kind]} on {counted(self.frames, 'training frame')} ({table})"
        )


@dataclass(frozen=True)
class TauFrames:
    """What a threshold is chosen on.

    Attributes:
        frames: labelled frames.
        config: what comes to them: labels of labelled neighbours alone, or cycles alone.
    """

    frames: tuple[PlannedFrame, ...]
    config: ReturnConfig

    @property
    def kind(self) -> str:
        """``keyframe`` or ``cycle``."""
        return KEYFRAME if self.config.keyframes else CYCLE


def frames_to_choose_on(frames: Sequence[PlannedFrame], config: ReturnConfig) -> TauFrames:
    """At most ``MOST_FRAMES`` of the frames, evenly spread over those with labelled neighbours, if there are any.

    Args:
        frames: planned training frames.
        config: of the recipe. Its distances to labelled neighbours are taken; where it has none, every labelled
            neighbour within the reach of its cycles is.
    """
    wanted = config.keyframes or tuple(range(1, config.furthest + 1))
    there = [(frame, _distances(frame, wanted)) for frame in frames]
    distances = tuple(sorted({distance for _, found in there for distance in found}))
    if not distances:
        return TauFrames(_spread(frames), replace(config, keyframes=()))
    neighboured = [frame for frame, found in there if found]
    return TauFrames(_spread(neighboured), replace(config, lengths=(), keyframes=distances))


def _distances(frame: PlannedFrame, wanted: Sequence[int]) -> list[int]:
    """Distances of labelled neighbours."""
    sides = list(zip(SIDES, frame.reach, strict=True))
    return [
        distance
        for distance in wanted
        if any(distance <= reach and frame.key + side * distance in frame.labels for side, reach in sides)
    ]


def _spread(frames: Sequence[PlannedFrame]) -> tuple[PlannedFrame, ...]:
    count = min(len(frames), MOST_FRAMES)
    return tuple(frames[(2 * number + 1) * len(frames) // (2 * count)] for number in range(count))


def choose_tau(chosen_on: TauFrames, making: Making, folder: Path) -> TauChoice:
    """Chooses the threshold, or finds the choice of an earlier call in ``folder``; of several processes one chooses.

    Args:
        chosen_on: see :func:`frames_to_choose_on`.
        making: motion and models, as the training's labels are made.
        folder: need not exist; other frames, settings or models are another choice.

    Raises:
        UserError: a frame or label cannot be read, no frame has a labelled pixel, or ``folder`` cannot be written.
    """
    config = chosen_on.config
    content = [(frame.fingerprint(), making.identity(frame)) for frame in chosen_on.frames]
    settings = (config.lengths, config.keyframes, config.resample, [written_tau(tau) for tau in TAUS])
    path = folder / f"tau_{fingerprint_values(content, settings)[:32]}.json"
    try:
        with file_lock(folder / "lock", wait=True):
            known = TauChoice.from_json(read_json(path)) if path.is_file() else None
            if known is not None:
                return known
            choice = _choose(chosen_on, making)
            write_json(path, choice.as_json())
            return choice
    except OSError as error:
        raise UserError(
            f"cannot write {folder} ({error.strerror or error}); free space or choose another folder"
        ) from error


def _choose(chosen_on: TauFrames, making: Making) -> TauChoice:
    pooled: dict[float, Confusion] = {}
    frames = chosen_on.frames
    with ProgressBar(len(frames), "choosing tau", "frames", quiet=not is_first_process()) as bar:
        for frame in frames:
            around = neighbourhood(frame, making.device)
            found = confusions_by_tau(around, making.estimator, making.teacher_for(frame), chosen_on.config)
            pooled = {tau: pooled[tau] + one if pooled else one for tau, one in found.items()}
            bar.advance()
    if not any(one.counts.any() for one in pooled.values()):
        raise UserError(
            f"not one of the {len(frames)} training frames that tau is chosen on has a labelled pixel, expected some;"
            " look at train, or give pairs.tau a number"
        )
    miou = {tau: one.miou() for tau, one in pooled.items()}
    return TauChoice(best_tau(miou), miou, chosen_on.kind, len(frames))
