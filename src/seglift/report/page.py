"""The report: one HTML page that opens from disk, with everything inside it.

Equal input gives equal bytes. The page is written as it is made, one frame after the other, so that memory does not
grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seglift.base.ahead import work_ahead
from seglift.base.files import atomic_path
from seglift.base.threads import threads_per_call, worker_count
from seglift.report import tables
from seglift.report.charts import distance_chart, shares_of, time_charts
from seglift.report.contents import (
    PROVENANCE_TITLES,
    FetchFrame,
    FrameRecord,
    MethodResult,
    ReportFrame,
    ReportSummary,
    known,
)
from seglift.report.figures import css_color
from seglift.report.layers import (
    PROVENANCE_COLORS,
    Color,
    confidence_colors,
    confidence_uri,
    distinct_colors,
    errors_uri,
    image_uri,
    labels_uri,
    objects_uri,
    thumbnail_size,
)
from seglift.report.selection import LABEL_NEXT, Selection, frames_to_label, select_frames
from seglift.report.template import get_template

LONG_SIDE = 640
MAX_SHOWN = 120


def write_report(path: Path, summary: ReportSummary, fetch: FetchFrame, max_shown: int = MAX_SHOWN) -> None:
    """Writes the page to ``path``, atomically.

    Args:
        path: of the HTML file.
        summary: everything but the pictures.
        fetch: gives the pictures of one frame; called once for each frame that is shown, from several threads.
        max_shown: about how many frames are shown; a longer clip is thinned evenly, but keyframes (up to half of the
            frames shown) and the frames to label next stay. At 640 pixels a frame takes about 80 kB a method.

    Raises:
        UserError: the file cannot be written.
        ValueError: the pictures do not fit the summary.
    """
    following = [_label_next(summary, method) for method in summary.methods]
    selection = select_frames(
        len(summary.stems), summary.keyframes, {index for found in following for index in found}, max_shown
    )
    colors = distinct_colors([entry.color for entry in summary.space.classes])
    context = _context(summary, selection, following, colors)

    def draw(index: int) -> tuple[int, list[tuple[str, str]]]:
        return index, list(_pictures(fetch(index), summary, colors))

    frames = work_ahead(draw, selection.indices, worker_count())
    chunks = get_template("page.html.j2").generate(frames=frames, **context)
    with (
        threads_per_call(1),
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
    ):
        for chunk in chunks:
            file.write(chunk)


def _label_next(summary: ReportSummary, method: MethodResult) -> tuple[int, ...]:
    return frames_to_label([record.expected_quality for record in method.records], LABEL_NEXT, summary.keyframes)


def _context(
    summary: ReportSummary, selection: Selection, following: list[tuple[int, ...]], colors: tuple[Color, ...]
) -> dict[str, Any]:
    """What the template needs besides the frames."""
    rows, others = tables.class_rows(summary, colors)
    return {
        "summary": summary,
        "selection": selection,
        "methods": [
            {
                "number": number,
                "name": method.name,
                "tiles": tables.tiles(summary, method),
                "charts": time_charts(summary, method),
                "following": [_card(summary, index, method.records[index]) for index in indices],
                "estimated": any(known(record.estimated_miou) is not None for record in method.records),
            }
            for number, (method, indices) in enumerate(zip(summary.methods, following, strict=True))
        ],
        "rows": rows,
        "others": others,
        "scores": tables.score_table(summary),
        "distance_chart": distance_chart(summary),
        "ramp": [css_color(color) for color in confidence_colors()],
        "provenance": [
            (title, css_color(color)) for title, color in zip(PROVENANCE_TITLES, PROVENANCE_COLORS, strict=True)
        ],
        "meta": _meta(summary, selection, colors),
    }


def _card(summary: ReportSummary, index: int, record: FrameRecord) -> dict[str, Any]:
    return {
        "index": index,
        "number": index + summary.first,
        "stem": summary.stems[index],
        "confidence": tables.percent(record.mean_confidence),
        "estimated": tables.percent(record.estimated_miou),
        "distance": record.distance,
    }


def _meta(summary: ReportSummary, selection: Selection, colors: tuple[Color, ...]) -> dict[str, Any]:
    """What the page's script needs to know about the frames shown."""
    keyframes = set(summary.keyframes)

    def numbers(record: FrameRecord) -> dict[str, Any]:
        shares = shares_of(record)
        return {
            "distance": record.distance,
            "confidence": _rounded(record.mean_confidence),
            "estimated": _rounded(record.estimated_miou),
            "miou": _rounded(record.miou),
            "provenance": shares and [_rounded(share) for share in shares],
        }

    return {
        "total": len(summary.stems),
        "first": summary.first,
        "methods": [method.name for method in summary.methods],
        "classes": [[entry.name, *color] for entry, color in zip(summary.space.classes, colors, strict=True)],
        "sources": [[title, *color] for title, color in zip(PROVENANCE_TITLES, PROVENANCE_COLORS, strict=True)],
        "ramp": [list(color) for color in confidence_colors()],
        "size": list(summary.size),
        "frames": [
            {
                "index": index,
                "stem": summary.stems[index],
                "keyframe": index in keyframes,
                "numbers": [numbers(method.records[index]) for method in summary.methods],
            }
            for index in selection.indices
        ],
    }


def _rounded(value: float | None) -> float | None:
    number = known(value)
    return None if number is None else round(number, 4)


def _pictures(frame: ReportFrame, summary: ReportSummary, colors: tuple[Color, ...]) -> Iterator[tuple[str, str]]:
    """Name and data URI of every picture of a frame; names of a method's pictures end in its number."""
    if len(frame.layers) != len(summary.methods):
        raise ValueError(f"a frame has layers of {len(frame.layers)} methods, expected {len(summary.methods)}")
    size = thumbnail_size(frame.image.shape[0], frame.image.shape[1], LONG_SIDE)
    yield "image", image_uri(frame.image, size)
    if frame.truth is not None:
        yield "truth", labels_uri(frame.truth, colors, size)
    for number, layers in enumerate(frame.layers):
        yield f"labels.{number}", labels_uri(layers.labels, colors, size)
        if layers.confidence is not None:
            yield f"confidence.{number}", confidence_uri(layers.confidence, size)
        if layers.provenance is not None:
            yield f"provenance.{number}", labels_uri(layers.provenance, PROVENANCE_COLORS, size)
        if layers.objects is not None:
            yield f"objects.{number}", objects_uri(layers.objects, size)
        if frame.truth is not None:
            yield f"errors.{number}", errors_uri(layers.labels, frame.truth, summary.space, size)
