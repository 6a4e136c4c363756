"""One frame after the other, as ``label --ground-truth`` scores its output."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space
from seglift.workflows.score.run import Scores, add_frame, format_scores


def test_confidence_and_estimates_of_frames_add_up(tmp_path):
    for folder in ("labels", "confidence", "truth"):
        (tmp_path / folder).mkdir()
    truth = np.zeros((10, 20), np.uint8)
    truth[:, 10:] = 1
    scores = Scores.empty(get_space("camvid11"))
    true = {}
    for name, wrong, estimate in (("a", 0, 0.9), ("b", 3, 0.8), ("c", 5, None)):
        found = truth.copy()
        found[:, 10 : 10 + wrong] = 0
        confidence = np.where(found == truth, 200, 50).astype(np.uint8)
        for folder, array in (("truth", truth), ("labels", found), ("confidence", confidence)):
            Image.fromarray(array).save(tmp_path / folder / f"{name}.png")
        paths = (tmp_path / folder / f"{name}.png" for folder in ("labels", "truth"))
        true[name] = add_frame(scores, *paths, distance=1, estimated_miou=estimate).present_miou()
    assert true == {"a": 1.0, "b": pytest.approx((10 / 13 + 0.7) / 2), "c": pytest.approx((10 / 15 + 0.5) / 2)}
    found = scores.as_json()
    assert found["confidence"]["auroc"] == 1.0 and found["confidence"]["pixels"] == 600
    assert found["confidence"]["accuracy"] == pytest.approx(520 / 600)
    assert found["estimated_miou"] == {
        "mean_absolute_error": pytest.approx((0.1 + 0.8 - true["b"]) / 2),
        "bias": pytest.approx((-0.1 + 0.8 - true["b"]) / 2),
        "correlation": pytest.approx(1.0),
        "frames": 2,
    }
    assert "estimated mIoU: off by" in format_scores(scores) and "bias" in format_scores(scores)
