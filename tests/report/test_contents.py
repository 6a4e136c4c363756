from __future__ import annotations

import dataclasses
import math

import pytest

from seglift.report.contents import FrameRecord, known


def test_record_of_a_line_of_frames_jsonl():
    line = {
        "index": 3,
        "stem": "a",
        "keyframes": [0, None],
        "distance": 3,
        "mean_confidence": 0.5,
        "estimated_miou": 0.75,
        "provenance": {"human": 0.0, "earlier": 1.0},
    }
    assert FrameRecord.from_json(line, miou=0.25) == FrameRecord(3, 0.5, 0.75, 0.25, {"human": 0.0, "earlier": 1.0})
    assert FrameRecord.from_json({}) == FrameRecord()


def test_known():
    assert known(0.5) == 0.5
    assert known(None) is None
    assert known(math.nan) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stems": []}, "at least one frame"),
        ({"methods": []}, "at least one frame"),
        ({"keyframes": [3, 1]}, "ascending"),
        ({"keyframes": [1, 1]}, "ascending"),
        ({"keyframes": [12]}, "below 12"),
        ({"stems": ["a"], "keyframes": [0]}, "12 records for 1 frames"),
    ],
)
def test_summary_that_does_not_fit(summary, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(summary(), **change)


def test_method_that_does_not_fit(summary):
    made = summary()
    method = made.methods[0]
    for change, message in [
        ({"class_pixels": [1]}, "1 class counts, expected 12"),
        ({"scores": dataclasses.replace(method.scores, iou=[0.5])}, "1 IoUs, expected 11"),
    ]:
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(made, methods=[dataclasses.replace(method, **change)])
    with pytest.raises(ValueError, match="must differ"):
        dataclasses.replace(made, methods=[method, method])
