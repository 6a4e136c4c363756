from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from seglift.labels.space_file import get_space
from seglift.report import budget_plot, study_plot
from seglift.report.contents import (
    DistanceScore,
    FetchFrame,
    FrameRecord,
    MethodLayers,
    MethodResult,
    ReportFrame,
    ReportScores,
    ReportSummary,
)

SPACE = get_space("camvid11")
HEIGHT, WIDTH = 24, 32


def record(index: int, keyframes: tuple[int, ...], truth: bool) -> FrameRecord:
    distance = min(abs(index - keyframe) for keyframe in keyframes)
    human = 1.0 if distance == 0 else 0.0
    return FrameRecord(
        distance=distance,
        mean_confidence=1.0 - 0.04 * distance,
        estimated_miou=0.9 - 0.03 * distance,
        miou=0.88 - 0.02 * distance if truth else None,
        provenance={"human": human, "earlier": 0.6 * (1 - human), "model": 0.4 * (1 - human)},
    )


def make_summary(
    frames: int = 12,
    keyframes: tuple[int, ...] = (0, 8),
    methods: tuple[str, ...] = ("motion",),
    truth: bool = True,
    title: str = "a drive",
) -> ReportSummary:
    scores = ReportScores(
        miou=0.8125,
        pixel_accuracy=0.95,
        iou=[0.5 + 0.04 * index for index in range(SPACE.num_train - 1)] + [None],
        by_distance=[DistanceScore(distance, 0.9 - 0.1 * distance, 0.99, 2) for distance in (1, 2, 3, 4)],
        basis="10 frames, keyframes left out.",
    )
    pixels = [100 * (index + 1) for index in range(SPACE.num_indices - 1)] + [0]
    results = [
        MethodResult(
            name,
            [record(index, keyframes, truth) for index in range(frames)],
            pixels,
            dataclasses.replace(scores, miou=0.8125 - 0.01 * number) if truth else None,
        )
        for number, name in enumerate(methods)
    ]
    stems = [f"frame_{index:04d}" for index in range(frames)]
    return ReportSummary(title, SPACE, stems, keyframes, results, (HEIGHT, WIDTH), {"direction": "both"})


def make_fetch(methods: int = 1, truth: bool = True, asked: list[int] | None = None) -> FetchFrame:
    def fetch(index: int) -> ReportFrame:
        if asked is not None:
            asked.append(index)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        image = np.stack([rows * 8, columns * 6, (rows + columns + index) % 200], 2).astype(np.uint8)
        labels = ((columns // 4 + index) % 11).astype(np.uint8)
        expected = labels.copy()
        expected[:4] = 11
        expected[-2:] = 0
        layers = [
            MethodLayers(
                np.roll(labels, number, 1), (rows * 10 + number).astype(np.uint8), (columns % 6).astype(np.uint8)
            )
            for number in range(methods)
        ]
        return ReportFrame(image, layers, expected if truth else None)

    return fetch


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that plots of studies draw."""
    figures: list[Figure] = []

    def make(*arguments: Any, **values: Any) -> Figure:
        figures.append(Figure(*arguments, **values))
        return figures[-1]

    for module in (budget_plot, study_plot):
        monkeypatch.setattr(module, "Figure", make)
    return figures


@pytest.fixture(scope="session")
def summary() -> Callable[..., ReportSummary]:
    return make_summary


@pytest.fixture(scope="session")
def fetch() -> Callable[..., FetchFrame]:
    return make_fetch
