"""The charts of a report: confidence and provenance over time, mIoU by distance."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from seglift.propagation.provenance import PROVENANCE_NAMES
from seglift.report.axis import Axis, Column, columns_of, frame_axis
from seglift.report.contents import PROVENANCE_TITLES, FrameRecord, MethodResult, ReportSummary, known
from seglift.report.figures import Line, line_chart, stacked_chart
from seglift.report.layers import PROVENANCE_COLORS
from seglift.report.tables import by_distance, mean_of, percent, share_text


def time_charts(summary: ReportSummary, method: MethodResult) -> list[tuple[str, Markup]]:
    """Title and drawing of the charts over time of one method; those without numbers are left out."""
    axis = frame_axis(len(summary.stems), summary.keyframes, summary.cuts, summary.first)
    records = method.records
    series = {
        "mean confidence": [known(record.mean_confidence) for record in records],
        "estimated mIoU": [known(record.estimated_miou) for record in records],
        "mIoU against ground truth": [known(record.miou) for record in records],
    }
    given = {name: values for name, values in series.items() if any(value is not None for value in values)}
    charts: list[tuple[str, Markup]] = []
    if given:
        lines = [Line(name, columns_of(values)) for name, values in given.items()]
        title = "mIoU" if len(given) == 1 and "mean confidence" not in given else "Confidence"
        title += " and mIoU over time" if len(given) > 1 else " over time"
        charts.append((title, line_chart(lines, axis, _describe(given, summary.first))))
    if any(record.provenance for record in records):
        shares = [shares_of(record) or [0.0] * len(PROVENANCE_NAMES) for record in records]
        means = [sum(row[band] for row in shares) / len(shares) for band in range(len(PROVENANCE_NAMES))]
        parts = [f"{title} {share_text(mean)} %" for title, mean in zip(PROVENANCE_TITLES, means, strict=True) if mean]
        words = "Where the labels come from, share of the pixels over all frames: " + ", ".join(parts)
        chart = stacked_chart(shares, PROVENANCE_TITLES, PROVENANCE_COLORS, axis, words)
        charts.append(("Where the labels come from", chart))
    return charts


def _describe(series: Mapping[str, list[float | None]], first: int) -> str:
    """What a chart of fractions over frames shows, in words; frame 0 is called ``first``."""
    parts = []
    for name, values in series.items():
        lowest, index = min((value, index) for index, value in enumerate(values) if value is not None)
        mean, number = percent(mean_of(values)), index + first
        parts.append(
            f"{_capital(name)} over the frames: {mean} % on average, lowest {percent(lowest)} % at frame {number}."
        )
    return " ".join(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def distance_chart(summary: ReportSummary) -> Markup | None:
    """Draws mIoU by distance, one line per method; None with fewer than three distances."""
    found = {method.name: by_distance(method.scores) for method in summary.methods if method.scores is not None}
    distances = sorted({distance for points in found.values() for distance, _ in points})
    if len(distances) < 3:
        return None
    lines = [
        Line(name, [Column(x, y, y, y) if y is not None else None for x, y in points]) for name, points in found.items()
    ]
    ticks = distances if len(distances) <= 12 else distances[:: len(distances) // 6]
    axis = Axis(distances[0], distances[-1], [(distance, str(distance)) for distance in ticks])
    words = "mIoU by distance to the nearest keyframe; the numbers are in the table above"
    return line_chart(lines, axis, words, dots=len(distances) <= 60)


def shares_of(record: FrameRecord) -> list[float] | None:
    """Provenance of a frame in the order of ``PROVENANCE_NAMES``; None where it is not known."""
    if not record.provenance:
        return None
    return [float(record.provenance.get(name, 0.0)) for name in PROVENANCE_NAMES]
