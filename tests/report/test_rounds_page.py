from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.report.rounds_page import RoundsSummary, Snapshot, write_rounds_page

SUMMARY = RoundsSummary(
    "selftrain",
    "Rounds of <town>",
    ("3 human labels",),
    BUILTIN_SPACES["binary"],
    ("0 teacher", "1 student"),
    (["model", "mIoU"], [["0 teacher", "40.00"], ["1 student", "50.00"]]),
    {"mIoU": [0.4, 0.5], "PQ": [None, None]},
    {"foreground": [0.3, None]},
    {"scales": "1"},
    "In percent.",
    "The same frames.",
)


def shots(count):
    image, labels = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
    return (Snapshot(f"clip/{n}", image, [("round 1", labels), ("round 2", labels)]) for n in range(count))


def test_the_page_is_whole_and_equal_for_equal_input(tmp_path):
    for name in ("a", "b"):
        write_rounds_page(tmp_path / name, SUMMARY, shots(2))
    text = (tmp_path / "a").read_text()
    assert text == (tmp_path / "b").read_text()
    assert text.count("<figure><img") == 6 and "clip/1" in text
    assert "Rounds of &lt;town&gt;" in text and '<td class="num">–</td>' in text
    assert "seglift selftrain" in text and "In percent." in text and "The same frames." in text
    assert "mIoU by round" in text and "PQ and" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_without_scores_or_frames_it_still_is_a_page(tmp_path):
    bare = replace(SUMMARY, models=(), table=([], []), curves={"mIoU": []}, classes={"foreground": []})
    write_rounds_page(tmp_path / "a", bare, shots(0))
    assert "</html>" in (tmp_path / "a").read_text()


def test_names_below_the_curves_have_room(tmp_path):
    models = [f"{number} network" for number in range(20)]
    many = replace(SUMMARY, models=models, curves={"mIoU": [0.5] * 20}, classes={})
    write_rounds_page(tmp_path / "a", many, shots(0))
    places = re.findall(r'class="x" style="left:([0-9.]+)%">(\d+) network<', (tmp_path / "a").read_text())
    assert [int(number) for _, number in places] == [0, 3, 6, 9, 12, 15, 18]
    assert float(places[0][0]) == 2.5 and float(places[-1][0]) == 92.5


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="PQ has 1 values"):
        replace(SUMMARY, curves={"PQ": [0.1]})
