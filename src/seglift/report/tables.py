"""The numbers of a report as rows of text, ready for the template; percentages without their sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seglift.labels.space import IGNORE_TRAIN_ID
from seglift.report.contents import DistanceScore, MethodResult, ReportScores, ReportSummary, known
from seglift.report.figures import css_color
from seglift.report.layers import Color

MAX_DISTANCES = 12
ABSENT = "–"


@dataclass(frozen=True)
class Cell:
    """A number of a table as text, its value in percent for the bar behind it, and whether it is the column's best."""

    text: str
    percent: float = 0.0
    best: bool = False


@dataclass(frozen=True)
class ClassRow:
    """One class: its space index and colour, share of the pixels by method, IoU by method (none without scores)."""

    index: int
    name: str
    color: str
    evaluated: bool
    shares: tuple[Cell, ...]
    ious: tuple[Cell, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Scores by method: heads of the columns, then name and cells of every method, then frames by column."""

    heads: tuple[str, ...]
    distances: tuple[int, ...]
    all_distances: int
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    frames: tuple[str, ...]
    basis: str


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent without the sign; a dash where it is None or NaN."""
    number = known(value)
    return ABSENT if number is None else f"{100 * number:.{digits}f}"


def share_text(value: float) -> str:
    """A share as percent without the sign; small ones are said to be small, not zero."""
    return "0" if value == 0 else "<\u202f0.1" if value < 0.001 else percent(value)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of the known values; None where there is none."""
    present = [number for number in map(known, values) if number is not None]
    return sum(present) / len(present) if present else None


def tiles(summary: ReportSummary, method: MethodResult) -> list[tuple[str, str, str]]:
    """The headline numbers of a method: name, value, and a remark."""
    records, scores = method.records, method.scores
    drawn = set(summary.keyframes)
    made = [record for index, record in enumerate(records) if index not in drawn]
    estimate = mean_of([record.estimated_miou for record in made])
    confidence = mean_of([record.mean_confidence for record in made])
    found: list[tuple[str, float | None, str]] = []
    if scores is not None:
        found += [("mIoU", scores.miou, "against ground truth")]
        found += [("Pixel accuracy", scores.pixel_accuracy, "against ground truth")]
    if estimate is not None:
        found.append(("Estimated mIoU", estimate, "mean, keyframes left out"))
    if scores is not None and known(scores.estimate_error) is not None:
        found.append(("Estimate error", scores.estimate_error, "mean, frame by frame"))
    if confidence is not None:
        found.append(("Mean confidence", confidence, "keyframes left out"))
    if scores is not None and known(scores.calibration_error) is not None:
        found.append(("Calibration error", scores.calibration_error, "of confidence"))
    if scores is not None and known(scores.confidence_auroc) is not None:
        found.append(("Confidence AUROC", scores.confidence_auroc, "50\u00a0% is chance"))
    labelled, count = len(summary.keyframes), len(summary.stems)
    by_hand = ("Drawn by hand", f"{labelled} of {count}", f"frames, {share_text(labelled / count)}\u00a0%")
    return [*((name, _signed(value), remark) for name, value, remark in found), by_hand]


def _signed(value: float | None) -> str:
    text = percent(value)
    return text if text == ABSENT else f"{text}\u00a0%"


def class_rows(summary: ReportSummary, colors: Sequence[Color]) -> tuple[list[ClassRow], list[str]]:
    """The classes that occur in a label or in the ground truth, and the names of all others.

    Args:
        summary: of the clip.
        colors: of the space indices, as drawn.
    """
    rows, others = [], []
    scored = [method for method in summary.methods if method.scores is not None]
    for index, entry in enumerate(summary.space.classes):
        shares = [_share(method.class_pixels, index) for method in summary.methods]
        evaluated = entry.train_id != IGNORE_TRAIN_ID
        ious = [known(method.scores.iou[entry.train_id]) if method.scores and evaluated else None for method in scored]
        if all(share == 0 for share in shares) and all(iou is None for iou in ious):
            others.append(entry.name)
            continue
        cells = tuple(Cell(ABSENT if share is None else share_text(share), 100 * (share or 0)) for share in shares)
        rows.append(ClassRow(index, entry.name, css_color(colors[index]), evaluated, cells, _compared(ious)))
    return rows, others


def _share(pixels: Sequence[int] | None, index: int) -> float | None:
    if pixels is None:
        return None
    return pixels[index] / max(1, sum(pixels))


def _compared(values: Sequence[float | None]) -> tuple[Cell, ...]:
    """Fractions as cells; the best is marked where several methods compete."""
    present = [percent(value) for value in values if known(value) is not None]
    best = max(present, key=float) if len(values) > 1 and len(present) > 1 else None
    return tuple(Cell(percent(value), 100 * (known(value) or 0), percent(value) == best) for value in values)


def score_table(summary: ReportSummary) -> ScoreTable | None:
    """Pooled scores of every scored method, then its mIoU by distance (evenly chosen where there are many)."""
    scored = [(method.name, method.scores) for method in summary.methods if method.scores is not None]
    if not scored:
        return None
    every = sorted({entry.distance for _, scores in scored for entry in scores.by_distance})
    chosen = every if len(every) <= MAX_DISTANCES else _evenly(every, MAX_DISTANCES)
    names = ("miou", "pixel_accuracy", "mean_accuracy", "boundary_f")
    titles = ("mIoU", "Pixel accuracy", "Mean accuracy", "Boundary F")
    kept = [
        (title, [known(getattr(scores, name)) for _, scores in scored])
        for name, title in zip(names, titles, strict=True)
    ]
    kept = [(title, values) for title, values in kept if any(value is not None for value in values)]
    found = [{entry.distance: entry for entry in scores.by_distance} for _, scores in scored]
    columns = [_compared(values) for _, values in kept]
    columns += [_compared([_miou(entries.get(distance)) for entries in found]) for distance in chosen]
    rows = tuple((name, tuple(column[number] for column in columns)) for number, (name, _) in enumerate(scored))
    counts = tuple(_frames([entries.get(distance) for entries in found]) for distance in chosen)
    basis = next((scores.basis for _, scores in scored if scores.basis), "")
    return ScoreTable(tuple(title for title, _ in kept), tuple(chosen), len(every), rows, counts, basis)


def by_distance(scores: ReportScores) -> list[tuple[int, float | None]]:
    """Distance and mIoU, ascending."""
    return [
        (entry.distance, known(entry.miou)) for entry in sorted(scores.by_distance, key=lambda entry: entry.distance)
    ]


def _miou(entry: DistanceScore | None) -> float | None:
    return None if entry is None else known(entry.miou)


def _frames(entries: Sequence[DistanceScore | None]) -> str:
    return next((str(entry.frames) for entry in entries if entry is not None and entry.frames is not None), "")


def _evenly(values: Sequence[int], count: int) -> list[int]:
    return [values[round(number * (len(values) - 1) / (count - 1))] for number in range(count)]
