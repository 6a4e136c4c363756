from __future__ import annotations

import csv
import io

import pytest

from seglift.workflows.study.by_class import format_classes, summarise_classes, write_class_rows

PLAIN = {0: {"iou": {"road": 0.9, "car": 0.5, "train": None}}, 1: {"iou": {"road": 0.9, "car": 0.6, "train": 0.1}}}
MIXED = {0: {"iou": {"road": 0.9, "car": 0.6, "train": 0.3}}, 1: {"iou": {"road": 0.8, "car": 0.72, "train": 0.3}}}
FOUND = {"plain": {"": PLAIN}, "mixed": {"teacher": {}, "student": MIXED}}


def test_classes_are_compared_by_seed_over_the_last_network():
    by_class = summarise_classes(FOUND, "plain")
    assert list(by_class) == ["road", "car", "train"]
    plain, mixed = by_class["car"]
    assert plain.mean == pytest.approx(0.55) and plain.verdict == "baseline"
    assert (mixed.difference, mixed.error) == (pytest.approx(0.11), pytest.approx(0.01))
    assert mixed.verdict == "better" and by_class["road"][1].verdict == "no difference"
    assert by_class["train"][0].runs == 1 and by_class["train"][1].difference == pytest.approx(0.2)


def test_the_table_has_the_baseline_and_what_differs():
    text = format_classes(summarise_classes(FOUND, "plain"))
    baseline, different = text.split("classes that differ")
    assert "road" in baseline and "train" in baseline and "mixed" not in baseline
    assert "+11.0 ± 1.0" in different and "road" not in different and "train" not in different
    assert "no class differs" in format_classes(summarise_classes({"plain": {"": PLAIN}}, "plain"))


def test_the_file_has_everything():
    rows = list(csv.DictReader(io.StringIO(write_class_rows(summarise_classes(FOUND, "plain")))))
    assert len(rows) == 6
    assert rows[3] == {
        "class": "car", "policy": "mixed", "runs": "2", "mean": "0.660000", "deviation": "0.084853",
        "difference": "0.110000", "error": "0.010000", "verdict": "better",
    }  # fmt: skip
    assert rows[4]["deviation"] == "" and rows[4]["class"] == "train"


def test_scores_without_classes():
    assert summarise_classes({"plain": {"": {0: {"miou": 0.5}}}}, "plain") == {}
    assert summarise_classes({"plain": {"": {}}}, "plain") == {}
