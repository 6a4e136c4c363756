from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from seglift.report.axis import Axis, Column, columns_of, frame_axis, value_range
from seglift.report.figures import Line, css_color, line_chart, stacked_chart

AXIS = Axis(0, 4, [(0, "0"), (4, "4")], [2])


def line(*values: float | None) -> Line:
    return Line("a line", columns_of(values))


def paths(chart: str, name: str) -> list[str]:
    """The ``d`` of the drawn paths of a class, those of the legend left out; the chart must be well-formed."""
    tree = ET.fromstring(chart.replace("&nbsp;", " "))
    plot = tree.find("./div/svg")
    return [path.get("d", "") for path in plot.iter("path") if name in path.get("class", "").split()]


def test_line_is_placed_in_the_box():
    chart = line_chart([line(0.0, 0.5, 1.0, 0.5, 0.0)], AXIS, "words")
    assert paths(chart, "line") == ["M0.0 100.00L250.0 50.00L500.0 0.00L750.0 50.00L1000.0 100.00"]
    assert paths(chart, "mark") == ["M500.0 0V100"]
    assert 'aria-label="words"' in chart
    assert "keyframe" in chart


def test_gap_breaks_the_line_and_a_lone_frame_is_a_dot():
    chart = line_chart([line(1.0, 1.0, None, 1.0, None)], AXIS, "words")
    assert paths(chart, "line") == ["M0.0 0.00L250.0 0.00", "M750.0 0.00"]
    assert paths(chart, "dots") == ["M750.0 0.00h0"]


def test_line_without_values_is_left_out():
    chart = line_chart([line(None, None, None, None, None), line(0.5, 0.5, 0.5, 0.5, 0.5)], AXIS, "words")
    assert len(paths(chart, "line")) == 1
    assert paths(line_chart([], AXIS, "words"), "line") == []


def test_words_are_escaped():
    chart = line_chart([Line("<b>&", columns_of([0.5] * 5))], AXIS, 'a "quoted" <thing>')
    assert "<b>" not in chart
    assert "<thing>" not in chart
    ET.fromstring(chart)


def test_long_series_become_columns_with_their_range():
    columns = columns_of([0.0, 1.0] * 1000)
    assert len(columns) == 500
    assert columns[0] == Column(1.5, 0.0, 0.5, 1.0)
    assert columns[-1] == Column(1997.5, 0.0, 0.5, 1.0)
    assert columns_of([None, None, 0.5]) == [None, None, Column(2, 0.5, 0.5, 0.5)]
    chart = line_chart([Line("long", columns)], frame_axis(2000, []), "words")
    assert len(paths(chart, "range")) == 1
    assert len(chart) < 60_000


def test_stacked_bands_cover_the_box():
    shares = [(1.0, 0.0, 0.0), (0.25, 0.75, 0.0), (0.25, 0.75, 0.0), (0.25, 0.75, 0.0), (1.0, 0.0, 0.0)]
    chart = stacked_chart(shares, ["one", "two", "three"], [(255, 0, 0), (0, 255, 0), (0, 0, 255)], AXIS, "words")
    drawn = dict(re.findall(r'<path fill="(#\w+)" d="([^"]+)"', chart))
    assert drawn["#ff0000"].startswith("M0.0 0.00L125.0 0.00L125.0 75.00L375.0 75.00")
    assert drawn["#00ff00"].startswith("M0.0 0.00L125.0 0.00L125.0 0.00L375.0 0.00")
    assert "#0000ff" not in drawn
    assert "three" not in chart


def test_stacked_chart_of_one_frame_fills_the_width():
    chart = stacked_chart([(1.0,)], ["one"], [(1, 2, 3)], frame_axis(1, [0]), "words")
    assert 'd="M0.0 0.00L1000.0 0.00L1000.0 100.00L0.0 100.00Z"' in chart


def test_frame_axis_names_the_last_frame_and_leaves_room_for_it():
    assert [index for index, _ in frame_axis(51, []).ticks] == [0, 10, 20, 30, 40, 50]
    assert [index for index, _ in frame_axis(1000, []).ticks] == [0, 200, 400, 600, 800, 999]
    assert [index for index, _ in frame_axis(104, []).ticks] == [0, 50, 103]
    assert [index for index, _ in frame_axis(2, []).ticks] == [0, 1]
    assert frame_axis(1, [0]).place(0) == 500


def test_frame_axis_of_a_part_of_a_video_has_the_numbers_of_the_video():
    assert list(frame_axis(6, [0], number=100).ticks) == [(index, str(100 + index)) for index in range(6)]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.71, 0.98], 0.7, 1.0),
        ([0.5, 0.5], 0.3, 0.5),
        ([0.03, 1.0], 0.0, 1.0),
        ([1.0], 0.8, 1.0),
        ([0.0], 0.0, 0.2),
        ([], 0.0, 1.0),
    ],
)
def test_value_range_holds_the_values(values, low, high):
    found_low, found_high, ticks = value_range(values)
    assert (found_low, found_high) == (low, high)
    assert ticks[0] == low
    assert ticks[-1] == high
    assert 3 <= len(ticks) <= 6


def test_scene_cuts_are_marked_before_their_frame():
    axis = frame_axis(11, [0, 10], [4])
    chart = line_chart([Line("one", [Column(x, 0.5, 0.5, 0.5) for x in (0, 10)])], axis, "words")
    assert '<path class="cut" d="M350.0 0V100"/>' in chart
    assert "scene cut</span>" in chart
    without = line_chart([Line("one", [Column(x, 0.5, 0.5, 0.5) for x in (0, 10)])], frame_axis(11, [0, 10]), "words")
    assert "scene cut" not in without


def test_css_color():
    assert css_color((255, 0, 10)) == "#ff000a"
