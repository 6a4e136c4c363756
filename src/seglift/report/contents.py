"""What a report shows: plain frozen values that a workflow fills from its results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seglift.labels.space import LabelSpace

Array8 = NDArray[np.uint8]

PROVENANCE_TITLES = (
    "human",
    "warped from the earlier keyframe",
    "warped from the later keyframe",
    "segmentation model",
    "refiner",
    "none",
)


@dataclass(frozen=True)
class FrameRecord:
    """Numbers of one labelled frame, all fractions 0..1; None where the maker of a number is not built or not asked.

    Attributes:
        distance: frames to the nearest keyframe.
        mean_confidence: mean of the confidence over the pixels.
        estimated_miou: mIoU that the method expects of itself.
        miou: mIoU against ground truth, of this frame alone, over the classes that its ground truth shows.
        provenance: share of the pixels by source, keys as in ``PROVENANCE_NAMES``; absent keys are 0.
    """

    distance: int | None = None
    mean_confidence: float | None = None
    estimated_miou: float | None = None
    miou: float | None = None
    provenance: Mapping[str, float] | None = None

    @classmethod
    def from_json(cls, line: Mapping[str, Any], miou: float | None = None) -> Self:
        """The record of one decoded line of ``frames.jsonl``; fields that the line lacks are None."""
        return cls(
            distance=line.get("distance"),
            mean_confidence=line.get("mean_confidence"),
            estimated_miou=line.get("estimated_miou"),
            miou=miou,
            provenance=line.get("provenance"),
        )

    @property
    def expected_quality(self) -> float | None:
        """What says which frame to label next: estimated mIoU, or mean confidence (0 where nothing is known)."""
        estimate = known(self.estimated_miou)
        return known(self.mean_confidence) if estimate is None else estimate


@dataclass(frozen=True)
class DistanceScore:
    """Scores of the frames at one distance from the nearest keyframe; fractions 0..1, None or NaN = not measured."""

    distance: int
    miou: float | None
    pixel_accuracy: float | None = None
    frames: int | None = None


@dataclass(frozen=True)
class ReportScores:
    """Scores against ground truth, pooled over frames; fractions 0..1, None or NaN = class absent or not measured.

    Attributes:
        iou: one entry per train id of the space.
        basis: what was scored, a short sentence for the reader, e.g. ``"48 frames, keyframes left out"``.
        confidence_auroc: how well low confidence finds wrong pixels, 0..1; 0.5 tells nothing.
        calibration_error: expected calibration error of the confidence, 0..1.
        estimate_error: mean absolute error of the frames' estimated mIoU, 0..1.
    """

    miou: float | None
    pixel_accuracy: float | None
    iou: Sequence[float | None]
    mean_accuracy: float | None = None
    boundary_f: float | None = None
    by_distance: Sequence[DistanceScore] = ()
    basis: str = ""
    confidence_auroc: float | None = None
    calibration_error: float | None = None
    estimate_error: float | None = None


@dataclass(frozen=True)
class MethodResult:
    """What one method made of the whole clip.

    Attributes:
        name: as on the command line, e.g. ``"inpaint"``; unique within a report.
        records: one per frame of the clip.
        class_pixels: number of pixels by space index, over all frames, or None where not counted.
        scores: None without ground truth.
    """

    name: str
    records: Sequence[FrameRecord]
    class_pixels: Sequence[int] | None = None
    scores: ReportScores | None = None


@dataclass(frozen=True)
class ReportSummary:
    """Everything on the page but the pictures.

    Attributes:
        title: name of the clip.
        space: label space of the clip.
        stems: name of every frame, in order.
        keyframes: indices of the labelled frames, ascending.
        methods: one for ``label``, several for ``demo``; the first one is shown when the page opens.
        size: height and width of the frames in pixels.
        settings: further options worth reading, by name, e.g. ``{"direction": "both"}``.
        cuts: indices of the first frame of every scene but the first, ascending.
        remark: a sentence on the clip for the reader, e.g. on its scene cuts; empty for none.
        first: what the reader knows frame 0 as, where the clip is a part of a video that is numbered from 0.

    Raises:
        ValueError: lengths, indices or names do not fit together.
    """

    title: str
    space: LabelSpace
    stems: Sequence[str]
    keyframes: Sequence[int]
    methods: Sequence[MethodResult]
    size: tuple[int, int]
    settings: Mapping[str, str] = field(default_factory=dict)
    cuts: Sequence[int] = ()
    remark: str = ""
    first: int = 0

    def __post_init__(self) -> None:
        count = len(self.stems)
        if count == 0 or not self.methods:
            raise ValueError("a report needs at least one frame and one method")
        if any(not 0 <= index < count for index in self.keyframes) or list(self.keyframes) != sorted(
            set(self.keyframes)
        ):
            raise ValueError(f"keyframes must be ascending indices below {count}, got {list(self.keyframes)}")
        if len({method.name for method in self.methods}) != len(self.methods):
            raise ValueError(f"method names must differ, got {[method.name for method in self.methods]}")
        for method in self.methods:
            self._check(method)

    def _check(self, method: MethodResult) -> None:
        if len(method.records) != len(self.stems):
            raise ValueError(f"{method.name}: {len(method.records)} records for {len(self.stems)} frames")
        if method.class_pixels is not None and len(method.class_pixels) != self.space.num_indices:
            raise ValueError(
                f"{method.name}: {len(method.class_pixels)} class counts, expected {self.space.num_indices}"
            )
        if method.scores is not None and len(method.scores.iou) != self.space.num_train:
            raise ValueError(f"{method.name}: {len(method.scores.iou)} IoUs, expected {self.space.num_train}")


@dataclass(frozen=True)
class MethodLayers:
    """Pictures of one method for one frame, each uint8 [H, W] if nothing else is said, any equal size.

    Attributes:
        labels: space index.
        confidence: 0..255 = 0..1, as in ``OUT/confidence``.
        provenance: 0..5, as in ``OUT/provenance`` (the order of ``PROVENANCE_NAMES``).
        objects: int32 [H, W], the same value for the same object in all frames, 0 where there is none.
    """

    labels: Array8
    confidence: Array8 | None = None
    provenance: Array8 | None = None
    objects: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class ReportFrame:
    """Pictures of one frame.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        layers: one entry per method of the summary, in its order.
        truth: ground truth, uint8 [H, W] space index.
    """

    image: Array8
    layers: Sequence[MethodLayers]
    truth: Array8 | None = None


FetchFrame = Callable[[int], ReportFrame]
"""Gives the pictures of frame ``index``; a report asks for the frames it shows once each, in ascending order."""


def known(value: float | None) -> float | None:
    """``value``, or None where it is None or NaN."""
    return None if value is None or math.isnan(value) else float(value)
