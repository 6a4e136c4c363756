from __future__ import annotations

import dataclasses
import math

import pytest

from seglift.report.contents import DistanceScore, FrameRecord
from seglift.report.layers import distinct_colors
from seglift.report.tables import ABSENT, class_rows, mean_of, percent, score_table, share_text, tiles


def rows_of(summary):
    return class_rows(summary, distinct_colors([entry.color for entry in summary.space.classes]))


@pytest.mark.parametrize(("value", "text"), [(0.1234, "12.3"), (1.0, "100.0"), (None, ABSENT), (math.nan, ABSENT)])
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (0.0004, "<\u202f0.1"), (0.5, "50.0")])
def test_small_shares_are_not_nothing(value, text):
    assert share_text(value) == text


def test_mean_leaves_unknown_out():
    assert mean_of([0.5, None, math.nan, 1.0]) == 0.75
    assert mean_of([None]) is None


def test_class_rows(summary):
    rows, others = rows_of(summary())
    assert [row.name for row in rows] == list(summary().space.train_names)
    assert others == ["void"]
    assert rows[0].shares[0].text == percent(100 / 6600)
    assert rows[0].ious[0].text == "50.0"
    assert rows[10].ious[0].text == ABSENT
    assert not any(cell.best for row in rows for cell in row.ious)


def test_class_without_pixels_but_with_truth_stays(summary):
    made = summary()
    method = dataclasses.replace(made.methods[0], class_pixels=[0, 10, *[0] * 10])
    rows, others = rows_of(dataclasses.replace(made, methods=[method]))
    assert [row.name for row in rows][:2] == ["sky", "building"]
    assert others == ["bicyclist", "void"]
    assert [cell.text for cell in rows[0].shares] == ["0"]


def test_uncounted_pixels_are_absent(summary):
    made = summary(truth=False)
    method = dataclasses.replace(made.methods[0], class_pixels=None)
    rows, others = rows_of(dataclasses.replace(made, methods=[method]))
    assert {cell.text for row in rows for cell in row.shares} == {ABSENT}
    assert others == []


def test_score_table(summary):
    table = score_table(summary(methods=("first", "second")))
    assert table.heads == ("mIoU", "Pixel accuracy")
    assert table.distances == (1, 2, 3, 4)
    assert [name for name, _ in table.rows] == ["first", "second"]
    first, second = (cells for _, cells in table.rows)
    assert [cell.text for cell in first] == ["81.2", "95.0", "80.0", "70.0", "60.0", "50.0"]
    assert (first[0].best, second[0].best) == (True, False)
    assert (first[1].best, second[1].best) == (True, True)
    assert table.frames == ("2", "2", "2", "2")
    assert score_table(summary(truth=False)) is None


def test_many_distances_are_thinned_with_both_ends(summary):
    made = summary()
    scores = dataclasses.replace(made.methods[0].scores, by_distance=[DistanceScore(d, 0.5) for d in range(1, 101)])
    made = dataclasses.replace(made, methods=[dataclasses.replace(made.methods[0], scores=scores)])
    table = score_table(made)
    assert (table.distances[0], table.distances[-1], len(table.distances), table.all_distances) == (1, 100, 12, 100)
    assert len(set(table.distances)) == 12


def test_tiles_leave_out_what_is_not_known(summary):
    made = summary(truth=False)
    bare = dataclasses.replace(made.methods[0], records=[FrameRecord()] * 12)
    assert [name for name, _, _ in tiles(made, bare)] == ["Drawn by hand"]
    assert [value for _, value, _ in tiles(made, bare)] == ["2 of 12"]
    full = summary()
    names = [name for name, _, _ in tiles(full, full.methods[0])]
    assert names == ["mIoU", "Pixel accuracy", "Estimated mIoU", "Mean confidence", "Drawn by hand"]


def test_tiles_say_how_far_confidence_and_estimates_can_be_believed(summary):
    method = summary().methods[0]
    measured = {"confidence_auroc": 0.9, "calibration_error": 0.02, "estimate_error": 0.031}
    method = dataclasses.replace(method, scores=dataclasses.replace(method.scores, **measured))
    found = {name: value for name, value, _ in tiles(summary(), method)}
    assert found["Confidence AUROC"] == "90.0\u00a0%" and found["Calibration error"] == "2.0\u00a0%"
    assert found["Estimate error"] == "3.1\u00a0%"
