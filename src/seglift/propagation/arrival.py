"""What arrived at a keyframe from the keyframe beside it, compared with what the human drew there.

Cycles understate errors, since those of the way out and back cancel; a label that arrives at another keyframe does not
know what is drawn there. Only what motion carried is compared: a segmentation model knows its keyframes by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.labels.space import LabelSpace
from seglift.metrics.calibration import Calibration
from seglift.metrics.confusion import Confusion, joint_histogram
from seglift.motion.warp import warp_labels
from seglift.propagation.confidence import carried_support, one_sided_confidence
from seglift.propagation.evidence import observe, observed
from seglift.propagation.state import Origin, Propagated

VOID = 255
TRUSTED_PHOTOMETRIC = 15
"""Grey levels up to which keyframe and arrived picture count as alike."""
TRUSTED_ERROR = 2.0
"""Forward-backward error, in pixels, up to which motion is trusted."""
TRUSTED_SUPPORT = 250
"""Support (0..255) from which a pixel lies well inside its region, in both drawings."""
GROSS_SHARE, GROSS_CLASS_SHARE = 0.05, 0.3
"""Share of the trusted pixels, and of those of one class, above which two drawings contradict each other.

Drawings of real clips, 5 to 25 frames apart (street video, procedural streets, single objects; 510 comparisons),
differed on 1.3 % and 17 % at most.
"""
ENOUGH = 0.001
"""Share of the frame from which trusted pixels, of all classes or of one, tell something."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """One keyframe's labels on the other keyframe, against the drawing there.

    Attributes:
        confusion: by train id, rows drawn, columns arrived, where the other keyframe was in view and both drawings name
            a class.
        calibration: the confidence of what arrived, right and wrong, where a class is drawn that was in view.
        trusted: int64 ``[C, C]``, rows drawn, columns arrived: the pixels of ``confusion`` where motion can be trusted
            and that lie well inside their region in both drawings.
        pixels: of the frame, at the resolution compared.
    """

    confusion: Confusion
    calibration: Calibration
    trusted: NDArray[np.int64]
    pixels: int

    @property
    def disagreement(self) -> float:
        """Share of the trusted pixels that differ, 0..1; 0 where too few can be trusted."""
        total = int(self.trusted.sum())
        return 1.0 - float(np.trace(self.trusted)) / total if total >= ENOUGH * self.pixels and total else 0.0

    @cached_property
    def class_disagreement(self) -> NDArray[np.float64]:
        """The same of each class, drawn or arrived, whichever is worse, float64 ``[C]``."""
        hit = np.diagonal(self.trusted)
        shares = [_lost(hit, self.trusted.sum(axis=axis), max(1.0, ENOUGH * self.pixels)) for axis in (0, 1)]
        return np.maximum(*shares)

    @property
    def contradicts(self) -> bool:
        """Whether the drawings contradict each other grossly."""
        return self.disagreement > GROSS_SHARE or bool((self.class_disagreement > GROSS_CLASS_SHARE).any())

    def as_json(self) -> dict[str, Any]:
        """Plain values for :meth:`from_json`."""
        return {
            "confusion": self.confusion.counts.tolist(),
            "calibration": self.calibration.counts.tolist(),
            "trusted": self.trusted.tolist(),
            "pixels": self.pixels,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The arrival of :meth:`as_json`."""
        counts = {name: np.array(values[name], np.int64) for name in ("confusion", "calibration", "trusted")}
        confusion, calibration = Confusion(counts["confusion"]), Calibration(counts["calibration"])
        return cls(confusion, calibration, counts["trusted"], values["pixels"])


def arrive(trace: Tensor, origin: Origin, image: Tensor, distance: int) -> Propagated:
    """The state of a keyframe's labels where ``trace`` ends, moved by motion alone and observed.

    Args:
        trace: float32 ``[1, 4, h, w]`` as in :class:`~seglift.propagation.state.Propagated`.
        origin: the keyframe that labels come from.
        image: what is seen where they arrive, RGB uint8 ``[1, 3, h, w]``.
        distance: frames between the two.
    """
    labels = warp_labels(origin.labels, trace[:, :2])
    return observe(Propagated(labels, trace, torch.zeros_like(labels, dtype=torch.bool), origin, distance), image)


def compare_arrival(arrived: Propagated, drawn: Tensor, drawn_support: Tensor, space: LabelSpace) -> Arrival:
    """Compares what arrived at a keyframe with the drawing.

    Args:
        arrived: observed, batch size 1.
        drawn: uint8 ``[1, h, w]`` space index.
        drawn_support: uint8 ``[1, h, w]``, of the drawing (:func:`~seglift.propagation.state.label_support`).
        space: of the labels.
    """
    truth, carried = _to_train(drawn, space), _to_train(arrived.labels, space)
    in_view = ~arrived.out_of_view[0].cpu().numpy()
    confidence = (one_sided_confidence(arrived)[0] * 255.0).round_().to(torch.uint8).cpu().numpy()
    calibration, confusion = Calibration.empty(), Confusion.empty(space.num_train)
    calibration.update(confidence, carried, np.where(in_view, truth, np.uint8(VOID)))
    confusion.update(carried, np.where(in_view & (carried != VOID), truth, np.uint8(VOID)))
    trusted = in_view & _trusted(arrived, drawn_support)
    table = joint_histogram(np.where(trusted, truth, np.uint8(VOID)), carried)[: space.num_train, : space.num_train]
    return Arrival(confusion, calibration, table, truth.size)


def _to_train(labels: Tensor, space: LabelSpace) -> NDArray[np.uint8]:
    return space.to_train(np.ascontiguousarray(labels[0].cpu().numpy()))


def _trusted(arrived: Propagated, drawn_support: Tensor) -> NDArray[np.bool_]:
    trusted = (observed(arrived) <= TRUSTED_PHOTOMETRIC) & (arrived.error <= TRUSTED_ERROR)
    trusted &= (carried_support(arrived) >= TRUSTED_SUPPORT) & (drawn_support >= TRUSTED_SUPPORT)
    result: NDArray[np.bool_] = trusted[0].cpu().numpy()
    return result


def _lost(hit: NDArray[np.int64], total: NDArray[np.int64], enough: float) -> NDArray[np.float64]:
    return np.where(total >= enough, 1.0 - hit / np.maximum(total, 1), 0.0)
