from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from seglift.report.budget_plot import BudgetScores, budget_plot

LINES = {"coarse": [(58.0, [0.5, 0.6]), (116.0, [0.6, 0.7])], "fine": [(75.0, [0.4])]}


def test_a_line_for_each_group_and_a_level_line(drawn):
    parts = [BudgetScores("mIoU", LINES, ("full", [0.8, 0.82])), BudgetScores("PQ", LINES)]
    picture = np.array(Image.open(io.BytesIO(budget_plot(parts))))
    assert picture.shape[1] > picture.shape[0] * 2
    first, second = drawn[0].axes
    assert first.get_xscale() == "log" and first.get_xlabel() == "hours of annotation"
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["coarse", "fine", "full"]
    assert {line.get_color() for line in (first.lines[0], second.lines[0])} == {"C0"}
    assert first.get_xticks().tolist() == [50, 100, 200]
    line = first.containers[0].lines[0]
    assert line.get_xdata().tolist() == [58, 116] and line.get_ydata().tolist() == pytest.approx([55, 65])
    level = next(line for line in first.lines if line.get_label() == "full")
    assert list(level.get_ydata()) == pytest.approx([81, 81])


def test_no_hours_at_all_have_a_place_too(drawn):
    budget_plot([BudgetScores("mIoU", {"coarse": [(0.0, [0.3]), *LINES["coarse"]]})])
    assert drawn[0].axes[0].get_xscale() == "symlog" and drawn[0].axes[0].get_xticks().tolist() == [0, 50, 100, 200]
    budget_plot([BudgetScores("mIoU", {"free": [(0.0, [0.3])]})])
    assert drawn[1].axes[0].get_xscale() == "linear"


def test_many_lines_are_told_apart_and_named_beside_the_plot(drawn):
    lines = {f"policy_with_a_long_name_{n}": [(0.3 * 7**n, [0.5, 0.6])] for n in range(12)}
    budget_plot([BudgetScores("mIoU", lines)])
    drawn[0].draw_without_rendering()
    (axes,), (legend,) = drawn[0].axes, drawn[0].legends
    looks = {(line.get_color(), line.get_marker()) for line in (box.lines[0] for box in axes.containers)}
    assert len(looks) == 12
    assert axes.get_window_extent().x1 < legend.get_window_extent().x0
    assert legend.get_window_extent().y0 > 0 and legend.get_window_extent().x1 < drawn[0].bbox.width
    assert axes.get_xticks().tolist() == [10.0**power for power in range(-1, 10)]
